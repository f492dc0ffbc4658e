// recovery create, use, identity.
#include <unistd.h>

#include <cerrno>

#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/owner_session.hpp"
#include "cli/passphrase.hpp"
#include "cli/words_screen.hpp"
#include "crypto/bip39.hpp"
#include "crypto/random.hpp"
#include "vault/recovery.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

Status write_words(int fd, const SecretBytes& words) {
  SecretBytes line = SecretBytes::zeros(words.size() + 1);
  const ByteView text = words.reveal(SecretAccess{});
  std::copy(text.begin(), text.end(), line.reveal(SecretAccess{}).begin());
  line.reveal(SecretAccess{}).back() = '\n';
  ByteView rest = std::as_const(line).reveal(SecretAccess{});
  while (!rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno(errno, "writing the recovery words");
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

// Words that the owner has: written down and asked back, or written to the descriptor.
Result<SecretBytes> make_words(const Arguments& args, const Json& old) {
  SecretBytes words = crypto::bip39_words(crypto::random_secret(crypto::kRecoveryEntropy));
  if (args.words_fd) {
    PV_TRY(write_words(*args.words_fd, words));
    return words;
  }
  std::string note;
  if (!old.is_null())
    note = "The words made on " + escape_for_terminal(old["created_at"].text_or("an earlier day")) +
           " end with these, but for older copies and backups.\n";
  PV_TRY(show_words(words, note));
  return words;
}

std::string created_text(bool replaced) {
  std::string out = "These words open the vault, also on another machine: popvault recovery use\n";
  if (replaced)
    out +=
        "The old words do not any more. Keep them as long as you keep backups made before: they open those, "
        "and older copies of the files.\n"
        "If somebody else may know them, change the passphrase as well: popvault passphrase\n";
  return out + "Passphrase changes do not touch them. Now: popvault backup create FILE\n";
}

Result<SecretFields> recovery_bundle(const RecoveryKeys& keys, const SecretBytes& vault_key) {
  SecretFields out;
  PV_TRY(out.set("recovery_key", keys.x25519.reveal(SecretAccess{})));
  PV_TRY(out.set("key", vault_key.reveal(SecretAccess{})));
  return out;
}

bool vault_is_here(const std::string& home) {
  FileStat st;
  return real_fs().stat_path(vault_path(home), st) == 0 || real_fs().stat_path(home + "/state.db", st) == 0;
}

// recovery.show with a proof; the vault must have the public key of these words.
Status prove_identity(OwnerSession& session, const Signer& signer,
                      const crypto::X25519PublicKey& public_key) {
  PV_ASSIGN(const Json result, session.call_with_proof("recovery.show", Json::Object{}, signer));
  const std::string* const known = result["public_key"].string();
  if (known == nullptr) return fail(Errc::recovery_missing);
  if (*known != public_key.hex()) return fail(Errc::words_wrong);
  return {};
}

// The whole of standard output, in secret memory.
SecretBytes identity_text(const RecoveryKeys& keys, bool json) {
  const std::string recipient = age_recipient(crypto::x25519_public(keys.x25519));
  const SecretBytes identity = age_identity(keys.x25519);
  const std::string before = json ? "{\"identity\":\"" : "# recipient: " + recipient + "\n";
  const std::string after = json ? "\",\"recipient\":\"" + recipient + "\"}\n" : "\n";
  SecretBytes out = SecretBytes::zeros(before.size() + identity.size() + after.size());
  const ByteView middle = identity.reveal(SecretAccess{});
  auto at = std::copy(before.begin(), before.end(), out.reveal(SecretAccess{}).begin());
  at = std::copy(middle.begin(), middle.end(), at);
  std::copy(after.begin(), after.end(), at);
  return out;
}

// The words of the vault that is here, or with no vault just whole words.
Result<SecretBytes> words_for_identity(const Context& context) {
  constexpr std::string_view kWhy = "show their age identity";
  if (!vault_is_here(context.paths.home)) {
    PV_ASSIGN(SecretBytes words, ask_words(context.args.words_fd, kWhy));
    PV_TRY(check_words(nullptr, words));
    return words;
  }
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Signer signer, ask_checked_signer(context, session, "show the recovery identity"));
  PV_ASSIGN(SecretBytes words, ask_words(context.args.words_fd, kWhy));
  PV_TRY(check_words(&session, words));
  PV_TRY(prove_identity(session, signer, crypto::x25519_public(recovery_keys(words).x25519)));
  return words;
}

}  // namespace

Result<Output> create_recovery(const Context& context) {
  PV_TRY(check_distinct(context.args));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  if (!context.args.words_fd) PV_TRY(check_words_screen());
  PV_ASSIGN(const Json status, session.call("vault.status"));
  const Json& old = status["recovery"];
  PV_ASSIGN(const Signer signer, ask_checked_signer(context, session, "make recovery words"));
  PV_ASSIGN(const SecretBytes words, make_words(context.args, old));
  const RecoveryKeys keys = recovery_keys(words);
  const crypto::X25519PublicKey public_key = crypto::x25519_public(keys.x25519);
  SecretFields bundle;
  PV_TRY(bundle.set("signing", keys.signing.reveal(SecretAccess{})));
  // A connection of its own: writing the words down took its time.
  PV_ASSIGN(OwnerSession now, OwnerSession::open(context));
  PV_ASSIGN(
      const Json result,
      now.call_with_proof("recovery.create", Json::Object{{"public_key", public_key.hex()}}, signer, &bundle));
  Json out = Json::Object{{"recipient", age_recipient(public_key)},
                          {"created_at", result["created_at"]},
                          {"replaced", !old.is_null()}};
  return Output{std::move(out), created_text(!old.is_null())};
}

Result<Output> use_recovery(const Context& context) {
  PV_TRY(check_distinct(context.args));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const SecretBytes words, ask_words(context.args.words_fd, "open the vault"));
  PV_TRY(check_words(&session, words));
  PV_ASSIGN(const SecretBytes passphrase,
            choose_passphrase(context.args.new_passphrase_fd, "the vault", "--new-passphrase-fd"));
  PV_ASSIGN(const SecretBytes key, derive_passphrase_key(real_fs(), context.paths.home, passphrase));
  PV_ASSIGN(const SecretFields bundle, recovery_bundle(recovery_keys(words), key));
  PV_ASSIGN(OwnerSession now, OwnerSession::open(context));
  PV_ASSIGN(const Json result, now.call("vault.recover", {}, &bundle));
  Json out = Json::Object{{"state", result["state"]}, {"mode", result["mode"]}};
  return Output{std::move(out),
                "The vault is unlocked, and the new passphrase opens it from now on; the old one does not.\n"
                "The same words stay good. Now: popvault doctor, then popvault backup create FILE.\n"
                "If others may have the words: popvault recovery create\n"};
}

Result<Output> show_recovery_identity(const Context& context) {
  PV_TRY(check_distinct(context.args));
  PV_ASSIGN(const SecretBytes words, words_for_identity(context));
  Output out;
  out.secret = identity_text(recovery_keys(words), context.args.json);
  return out;
}

}  // namespace popvault::cli
