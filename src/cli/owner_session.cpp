#include "cli/owner_session.hpp"

#include "cli/daemon_start.hpp"
#include "cli/passphrase.hpp"
#include "crypto/digest.hpp"
#include "rpc/params.hpp"
#include "secret/bundle.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

// A backup of a long journal, written and read on a slow disk.
constexpr std::chrono::minutes kFileTimeout{30};
constexpr std::string_view kProofDomain = "popvault-owner-proof-v1";
constexpr std::int64_t kLongestChallenge = 120;  // seconds

// A signature says what the challenge says, so another text than the one that was asked for is never signed: canonical JSON
// of these members, which can be nothing that ssh or another tool signs.
Status check_challenge(const std::string& text, std::string_view purpose, const std::string& request_hash,
                       const std::string& vault) {
  const auto wrong = [] { return fail(Errc::internal, "the daemon's challenge is not for this request"); };
  auto parsed = Json::parse(text);
  if (!parsed) return wrong();
  Params in(*parsed);
  const bool same = in.text("domain", 64) == kProofDomain && in.text("purpose", 64) == purpose &&
                    in.text("request_hash", 64) == request_hash && in.text("vault", 64) == vault;
  const auto nonce = from_hex(in.text("nonce", 64));
  const std::int64_t issued = in.integer("issued_at", 0, INT64_MAX);
  const std::int64_t expires = in.integer("expires_at", 0, INT64_MAX);
  if (!in.done() || !same || !nonce || nonce->size() != 32) return wrong();
  if (expires < issued || expires - issued > kLongestChallenge || parsed->dump() != text) return wrong();
  return {};
}

Result<Json> enrolled(OwnerSession& session) { return session.call("authenticator.list"); }

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

Result<Json> OwnerSession::call_with_proof(std::string_view method, Json params, const Signer& signer,
                                           const SecretFields* bundle, Descriptor* received, int file) {
  const Json request = Json::Object{{"method", method}, {"params", params}};
  const std::string hash = crypto::sha256(as_bytes(request.dump())).hex();
  PV_ASSIGN(const Json answer,
            call("proof.challenge", Json::Object{{"purpose", method}, {"request_hash", hash}}));
  const std::string challenge = answer["challenge"].text_or("");
  PV_TRY(check_challenge(challenge, method, hash, hello_["vault"].text_or("")));
  PV_ASSIGN(const SignedText by, signer(challenge));
  params.set("proof", Json::Object{{"challenge", challenge},
                                   {"public_key", by.key.hex()},
                                   {"signature", by.signature.hex()}});
  return call(method, params, bundle, received, file);
}

Result<SecretBytes> ask_vault_key(const Context& context, const OwnerSession& session, std::string_view why) {
  if (gives_signer(context.args)) return fail(Errc::usage, "an authenticator signs and opens nothing; leave it out");
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

namespace {

Result<Signer> signer_given(const Context& context, OwnerSession& session) {
  const Arguments& args = context.args;
  if (args.authenticator && args.authenticator_command)
    return fail(Errc::usage, "--authenticator and --authenticator-command exclude each other");
  if (args.passphrase_fd) return fail(Errc::usage, "an authenticator needs no passphrase; leave --passphrase-fd out");
  PV_ASSIGN(const Json list, enrolled(session));
  return args.authenticator ? ssh_signer(list) : command_signer(*args.authenticator_command, list);
}

}  // namespace

bool gives_signer(const Arguments& args) { return args.authenticator || args.authenticator_command; }

Result<Signer> ask_signer(const Context& context, OwnerSession& session, std::string_view why) {
  if (gives_signer(context.args)) return signer_given(context, session);
  PV_ASSIGN(const SecretBytes key, ask_vault_key(context, session, why));
  return key_signer(key);
}

Result<Signer> ask_checked_signer(const Context& context, OwnerSession& session, std::string_view why) {
  if (gives_signer(context.args)) return signer_given(context, session);
  PV_ASSIGN(const SecretBytes key, ask_vault_key(context, session, why));
  PV_ASSIGN(const Bytes file, read_vault(real_fs(), context.paths.home));
  const auto opened = open_vault(key, file);
  if (!opened && opened.error().code == Errc::wrong_key) return fail(Errc::proof_invalid);
  if (!opened) return tl::unexpected(opened.error());
  return key_signer(key);
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
  PV_ASSIGN(const Signer signer, ask_signer(context, session, why));
  return session.call_with_proof(method, std::move(params), signer);
}

Result<Json> call_kept(const Context& context, OwnerSession& session, std::string_view method, Json params,
                       std::string_view why) {
  auto tried = session.call(method, params);
  if (tried || tried.error().code != Errc::proof_required) return tried;
  return call_proved(context, session, method, std::move(params), why);
}

}  // namespace popvault::cli
