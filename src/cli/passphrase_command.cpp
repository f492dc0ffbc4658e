// passphrase: another one, the first one of a machine vault, or none any more.
#include <algorithm>

#include "cli/command.hpp"
#include "cli/owner_session.hpp"
#include "cli/passphrase.hpp"
#include "crypto/compiled_salt.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

Status check_options(const Arguments& args) {
  const PassphraseOptions& given = args.passphrase;
  if (!given.remove && (given.accept_machine_key || given.accept_public_salt))
    return fail(Errc::usage, "--accept-machine-key and --accept-public-salt go with --remove");
  if (!given.remove) return check_distinct(args);
  if (args.new_passphrase_fd)
    return fail(Errc::usage, "with --remove there is no new passphrase; leave --new-passphrase-fd out");
  if (!given.accept_machine_key)
    return fail(Errc::usage,
                "without a passphrase any program of your user on this machine can derive the key; add "
                "--accept-machine-key if you accept that");
  if (!given.accept_public_salt && !crypto::hardened_build()) return fail(Errc::consent_required);
  return {};
}

// The bundle {key}, or nothing to do: invalid_field.
Result<SecretFields> new_key_bundle(const Context& context, OwnerSession& session) {
  PV_ASSIGN(const Json enrolled, session.call("authenticator.list"));
  PV_ASSIGN(const SecretBytes passphrase,
            choose_passphrase(context.args.new_passphrase_fd, "the vault", "--new-passphrase-fd"));
  PV_ASSIGN(const SecretBytes key, derive_passphrase_key(real_fs(), context.paths.home, passphrase));
  const auto known = keys_of(enrolled);
  const auto proof_key = crypto::SigningKey::from_seed(owner_proof_seed(key)).public_key();
  if (std::find(known.begin(), known.end(), proof_key) != known.end())
    return fail(Errc::invalid_field, "passphrase: it is the one that the vault has");
  SecretFields out;
  PV_TRY(out.set("key", key.reveal(SecretAccess{})));
  return out;
}

Result<Output> remove_passphrase(const Context& context, OwnerSession& session) {
  if (session.machine_mode()) return fail(Errc::usage, "this vault has no passphrase");
  PV_ASSIGN(const Signer signer, ask_checked_signer(context, session, "take the passphrase away"));
  Json params = Json::Object{{"mode", "machine"},
                             {"accept_machine_key", true},
                             {"accept_public_salt", context.args.passphrase.accept_public_salt}};
  PV_ASSIGN(const Json result, session.call_with_proof("vault.rekey", std::move(params), signer));
  return Output{
      Json::Object{{"mode", result["mode"]}},
      "The passphrase is gone; the key comes from this machine (" + result["mode"].text_or("?") +
          ").\nAny program of your user here can derive it. To set one again: popvault passphrase\n"};
}

Result<Output> set_passphrase(const Context& context, OwnerSession& session) {
  const bool first = session.machine_mode();
  PV_ASSIGN(const Signer signer, ask_checked_signer(context, session, "change it"));
  PV_ASSIGN(const SecretFields bundle, new_key_bundle(context, session));
  PV_ASSIGN(const Json result,
            session.call_with_proof("vault.rekey", Json::Object{{"mode", "passphrase"}}, signer, &bundle));
  return Output{
      Json::Object{{"mode", result["mode"]}},
      std::string(first ? "The vault has a passphrase now." : "The passphrase is changed.") +
          " Recovery words stay as they are.\nCopies of the files made before still open as they did.\n"};
}

}  // namespace

Result<Output> change_passphrase(const Context& context) {
  PV_TRY(check_options(context.args));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  return context.args.passphrase.remove ? remove_passphrase(context, session)
                                        : set_passphrase(context, session);
}

}  // namespace popvault::cli
