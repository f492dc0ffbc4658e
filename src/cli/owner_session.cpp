#include "cli/owner_session.hpp"

#include "cli/daemon_start.hpp"
#include "cli/passphrase.hpp"
#include "crypto/digest.hpp"
#include "crypto/sign.hpp"
#include "secret/bundle.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

// A backup of a long journal, written and read on a slow disk.
constexpr std::chrono::minutes kFileTimeout{30};
constexpr std::string_view kProofDomain = "popvault-owner-proof-v1";

// A signature says what the challenge says, so another text than the one that was asked for is never signed.
Status check_challenge(const std::string& text, std::string_view purpose, const std::string& request_hash,
                       const std::string& vault) {
  PV_ASSIGN(const Json challenge, Json::parse(text));
  const bool same = challenge["domain"].text_or("") == kProofDomain &&
                    challenge["purpose"].text_or("") == purpose &&
                    challenge["request_hash"].text_or("") == request_hash &&
                    challenge["vault"].text_or("") == vault && challenge.dump() == text;
  if (!same) return fail(Errc::internal, "the daemon's challenge is not for this request");
  return {};
}

}  // namespace

Result<OwnerSession> OwnerSession::open(const Context& context, IfStopped if_stopped) {
  const std::string socket = context.paths.owner_socket();
  auto connection = client::Connection::open(socket);
  if (!connection && connection.error().code == Errc::daemon_unreachable && if_stopped == IfStopped::start) {
    PV_TRY(start_daemon(context.paths));
    connection = client::Connection::open(socket);
  }
  if (!connection) return tl::unexpected(std::move(connection.error()));
  OwnerSession out(std::move(*connection));
  PV_ASSIGN(out.hello_, out.call("owner.hello"));
  PV_TRY(client::check_home(out.hello_, context.paths.home));
  // Any other method tells what is wrong with the files; status shows it by itself.
  if (out.state() == "damaged" && if_stopped == IfStopped::start) PV_TRY(out.call("audit.verify"));
  return out;
}

Status OwnerSession::require_unlocked() const {
  const std::string now = state();
  if (now == "uninitialised") return fail(Errc::vault_missing);
  if (now == "locked" || now == "granted") return fail(Errc::locked);
  return {};
}

Result<Json> OwnerSession::call(std::string_view method, const Json& params, const SecretFields* bundle,
                                Descriptor* received, int file) {
  client::CallOptions options;
  options.received = received;
  options.file = file;
  if (file >= 0) options.timeout = kFileTimeout;
  Descriptor passed;
  if (bundle != nullptr) {
    PV_ASSIGN(const int fd, bundle_of(*bundle));
    passed = Descriptor(fd);
    options.descriptor = fd;
  }
  PV_ASSIGN(Json result, connection_.call(method, params, options));
  return result;
}

Result<Json> OwnerSession::call_with_proof(std::string_view method, Json params, const SecretBytes& vault_key,
                                           const SecretFields* bundle, Descriptor* received, int file) {
  const Json request = Json::Object{{"method", method}, {"params", params}};
  const std::string hash = crypto::sha256(as_bytes(request.dump())).hex();
  PV_ASSIGN(const Json answer,
            call("proof.challenge", Json::Object{{"purpose", method}, {"request_hash", hash}}));
  const std::string challenge = answer["challenge"].text_or("");
  PV_TRY(check_challenge(challenge, method, hash, hello_["vault"].text_or("")));
  const auto key = crypto::SigningKey::from_seed(owner_proof_seed(vault_key));
  params.set("proof", Json::Object{{"challenge", challenge},
                                   {"public_key", key.public_key().hex()},
                                   {"signature", key.sign(as_bytes(challenge)).hex()}});
  return call(method, params, bundle, received, file);
}

Result<SecretBytes> ask_vault_key(const Context& context, const OwnerSession& session, std::string_view why) {
  if (session.machine_mode()) {
    const auto mode = vault_mode_of(session.hello()["mode"].text_or(""));
    if (!mode) return fail(Errc::internal, "the daemon names no vault mode");
    if (context.args.passphrase_fd)
      return fail(Errc::usage, "this vault has no passphrase; leave --passphrase-fd out");
    return derive_machine_key(real_fs(), context.paths.home, *mode);
  }
  PV_ASSIGN(const SecretBytes passphrase, ask_passphrase(context.args.passphrase_fd, why));
  return derive_passphrase_key(real_fs(), context.paths.home, passphrase);
}

Result<SecretBytes> ask_checked_key(const Context& context, const OwnerSession& session,
                                    std::string_view why) {
  PV_ASSIGN(SecretBytes key, ask_vault_key(context, session, why));
  PV_ASSIGN(const Bytes file, read_vault(real_fs(), context.paths.home));
  const auto opened = open_vault(key, file);
  if (!opened && opened.error().code == Errc::wrong_key) return fail(Errc::proof_invalid);
  if (!opened) return tl::unexpected(opened.error());
  return key;
}

Status check_distinct(const Arguments& args) {
  const std::pair<const std::optional<int>&, const char*> given[] = {
      {args.passphrase_fd, "--passphrase-fd"},
      {args.new_passphrase_fd, "--new-passphrase-fd"},
      {args.words_fd, "--words-fd"}};
  for (const auto& a : given)
    for (const auto& b : given)
      if (&a < &b && a.first && a.first == b.first)
        return fail(Errc::usage, std::string(a.second) + " and " + b.second + " need two descriptors");
  return {};
}

Result<Json> call_proved(const Context& context, OwnerSession& session, std::string_view method, Json params,
                         std::string_view why) {
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const SecretBytes key, ask_vault_key(context, session, why));
  return session.call_with_proof(method, std::move(params), key);
}

}  // namespace popvault::cli
