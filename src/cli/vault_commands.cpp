// init, unlock, lock, freeze, unfreeze, stop.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/owner_session.hpp"
#include "cli/passphrase.hpp"
#include "crypto/compiled_salt.hpp"
#include "os/socket.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

constexpr int kStopPatience = 10'000;  // milliseconds

constexpr std::string_view kAfterInit =
    "With another machine-id (a reinstalled or cloned machine) the passphrase opens nothing. Make recovery "
    "words\n"
    "once it is unlocked: popvault recovery create\n";

Result<SecretFields> key_bundle(const SecretBytes& key) {
  SecretFields out;
  PV_TRY(out.set("key", key.reveal(SecretAccess{})));
  return out;
}

Status check_init(const Arguments& args) {
  if (args.init.accept_public_salt && !args.init.machine)
    return fail(Errc::usage, "--accept-public-salt goes with --machine");
  if (args.init.machine && args.passphrase_fd)
    return fail(Errc::usage, "a vault with --machine has no passphrase; leave --passphrase-fd out");
  if (args.init.machine && !args.init.accept_public_salt && !crypto::hardened_build())
    return fail(Errc::consent_required);
  return {};
}

Result<Json> init_with_passphrase(const Context& context, OwnerSession& session) {
  PV_ASSIGN(const SecretBytes passphrase, choose_passphrase(context.args.passphrase_fd, "the vault"));
  PV_ASSIGN(const SecretBytes key, derive_passphrase_key(real_fs(), context.paths.home, passphrase));
  PV_ASSIGN(const SecretFields bundle, key_bundle(key));
  return session.call("vault.init", Json::Object{{"mode", "passphrase"}}, &bundle);
}

Output state_output(const Json& result, std::string_view member) {
  Json out = Json::Object{{std::string(member), result[member]}};
  const Json& value = result[member];
  std::string text = value.text_or(value.bool_or(false) ? "true" : "false");
  return {std::move(out), std::string(member) + ": " + text + "\n"};
}

Output unlocked_output(const Json& status, std::string_view note) {
  const Json out = Json::Object{{"state", "unlocked"}, {"expires_at", status["expires_at"]}};
  const std::string* until = status["expires_at"].string();
  return {out, std::string(note) + (until != nullptr ? " until " + *until : "") + "\n"};
}

// The process that listens, to wait for its end; none where that cannot be told.
Descriptor daemon_process(const Paths& paths) {
  const auto socket = connect_unix(paths.owner_socket());
  if (!socket) return {};
  const auto peer = peer_identity(socket->get());
  return peer ? Descriptor(static_cast<int>(syscall(SYS_pidfd_open, peer->pid, 0U))) : Descriptor();
}

Result<Output> simple_call(const Context& context, std::string_view method, std::string_view member) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result, session.call(method));
  return state_output(result, member);
}

}  // namespace

Result<Output> init_vault(const Context& context) {
  PV_TRY(check_init(context.args));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() != "uninitialised") return fail(Errc::vault_exists);
  const bool machine = context.args.init.machine;
  const Json params =
      Json::Object{{"mode", "machine"}, {"accept_public_salt", context.args.init.accept_public_salt}};
  PV_ASSIGN(const Json result,
            machine ? session.call("vault.init", params) : init_with_passphrase(context, session));
  const Json out = Json::Object{{"vault", result["vault"]}, {"mode", result["mode"]}};
  std::string text = "vault " + result["vault"].text_or("?") + " made in " + context.paths.home + " (" +
                     result["mode"].text_or("?") + ")\n";
  text +=
      machine
          ? "Any program of your user on this machine can derive its key: this mode stops accidents only.\n"
          : std::string(kAfterInit);
  text += "Now: popvault unlock, then popvault add card.\n";
  return Output{out, std::move(text)};
}

Result<Output> unlock_vault(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  if (session.state() == "unlocked") {
    PV_ASSIGN(const Json status, session.call("vault.status"));
    return unlocked_output(status, "unlocked already");
  }
  if (session.machine_mode()) {
    if (context.args.passphrase_fd)
      return fail(Errc::usage, "this vault has no passphrase; leave --passphrase-fd out");
    PV_ASSIGN(const Json result, session.call("vault.unlock"));
    return unlocked_output(result, "unlocked");
  }
  PV_ASSIGN(const SecretBytes key, ask_vault_key(context, session, "unlock the vault"));
  PV_ASSIGN(const SecretFields bundle, key_bundle(key));
  PV_ASSIGN(const Json result, session.call("vault.unlock", {}, &bundle));
  return unlocked_output(result, "unlocked");
}

Result<Output> lock_vault(const Context& context) { return simple_call(context, "vault.lock", "state"); }
Result<Output> freeze_vault(const Context& context) { return simple_call(context, "vault.freeze", "frozen"); }

// A freeze locks as well, so what opens the vault is asked for once and does both; an authenticator cannot unlock.
Result<Output> unfreeze_vault(const Context& context) {
  constexpr std::string_view kWhy = "unfreeze the vault";
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  if (session.state() == "unlocked" || gives_signer(context.args)) {
    PV_ASSIGN(const Json result, call_proved(context, session, "vault.unfreeze", Json::Object{}, kWhy));
    return state_output(result, "frozen");
  }
  PV_ASSIGN(const SecretBytes key, ask_vault_key(context, session, kWhy));
  PV_ASSIGN(const SecretFields bundle, key_bundle(key));
  PV_TRY(session.call("vault.unlock", {}, session.machine_mode() ? nullptr : &bundle));
  PV_ASSIGN(const Json result, session.call_with_proof("vault.unfreeze", Json::Object{}, key_signer(key)));
  return state_output(result, "frozen");
}

Result<Output> stop_daemon(const Context& context) {
  auto session = OwnerSession::open(context, IfStopped::refuse);
  if (!session && session.error().code == Errc::daemon_unreachable)
    return Output{Json::Object{{"stopping", false}, {"state", "stopped"}}, "popvaultd is not running\n"};
  if (!session) return tl::unexpected(std::move(session.error()));
  const Descriptor process = daemon_process(context.paths);
  PV_ASSIGN(const Json result, session->call("daemon.stop"));
  // The next command must find the home free.
  pollfd ended{process.get(), POLLIN, 0};
  if (process && poll(&ended, 1, kStopPatience) == 0)
    return fail(Errc::timeout, "popvaultd has not ended yet");
  return Output{result, "popvaultd has stopped\n"};
}

}  // namespace popvault::cli
