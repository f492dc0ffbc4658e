// backup create, verify, restore. The daemon writes and reads the file through the descriptor it is given;
// what opens it is asked for here.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "backup/age_file.hpp"
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/identity_file.hpp"
#include "cli/new_file.hpp"
#include "cli/owner_session.hpp"
#include "cli/passphrase.hpp"
#include "cli/secret_input.hpp"
#include "cli/words_screen.hpp"
#include "vault/recovery.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

constexpr std::size_t kMaxRecipients = 16;

// What opens a backup: of the words both, of an identity the first alone.
struct BackupKeys {
  SecretBytes identity;
  SecretBytes signing;  // empty with an identity
};

Result<Json> checked_recipients(const BackupOptions& given) {
  if (given.recipients.size() > kMaxRecipients) return fail(Errc::usage, "at most 16 times --recipient");
  Json::Array out;
  for (const std::string& text : given.recipients) {
    PV_TRY(parse_recipient(text));
    out.emplace_back(text);
  }
  return Json(std::move(out));
}

// An existing regular file, at its beginning.
Result<Descriptor> open_backup(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return fail(Errc::not_found, escape_for_terminal(path));
  if (!file) return fail_errno(errno, "opening " + escape_for_terminal(path));
  struct stat st {};
  if (fstat(file.get(), &st) != 0) return fail_errno(errno, "looking at " + escape_for_terminal(path));
  if (!S_ISREG(st.st_mode)) return fail(Errc::backup_invalid, "it is no regular file");
  return file;
}

Result<std::optional<std::string>> checked_signer(const BackupOptions& given) {
  if (!given.signer) return std::optional<std::string>{};
  const auto bytes = from_hex(*given.signer);
  if (!bytes || bytes->size() != 32) return fail(Errc::invalid_field, "--signer is not 64 hex digits");
  return std::optional<std::string>(to_hex(*bytes));
}

Status check_key_options(const Arguments& args) {
  PV_TRY(check_distinct(args));
  if (args.words_fd && args.backup.identity)
    return fail(Errc::usage, "--words-fd and --identity do not go together");
  return {};
}

// From --identity, --words-fd or the terminal. `session` hears of words that are none.
Result<BackupKeys> ask_keys(const Context& context, OwnerSession& session) {
  BackupKeys out;
  if (context.args.backup.identity) {
    PV_ASSIGN(out.identity, read_identity_file(*context.args.backup.identity));
    return out;
  }
  PV_ASSIGN(const SecretBytes words, ask_words(context.args.words_fd, "open the backup"));
  PV_TRY(check_words(session.state() == "uninitialised" ? nullptr : &session, words));
  RecoveryKeys keys = recovery_keys(words);
  out.identity = std::move(keys.x25519);
  out.signing = std::move(keys.signing);
  return out;
}

Result<SecretFields> bundle_of_keys(const BackupKeys& keys) {
  SecretFields out;
  PV_TRY(out.set("identity", keys.identity.reveal(SecretAccess{})));
  if (!keys.signing.empty()) PV_TRY(out.set("signing", keys.signing.reveal(SecretAccess{})));
  return out;
}

// The offset belongs to the open file, which both sides have.
Result<Json> call_with_file(OwnerSession& session, std::string_view method, const Json& params,
                            const SecretFields* bundle, int file) {
  if (lseek(file, 0, SEEK_SET) != 0) return fail_errno(errno, "reading the backup");
  return session.call(method, params, bundle, nullptr, file);
}

std::string number_of(const Json& value) {
  return value.integer() != nullptr ? std::to_string(*value.integer()) : "?";
}

std::string shown(const Json& value) { return escape_for_terminal(value.text_or("?")); }

std::string created_text(const std::string& path, const Json& result) {
  std::string out =
      "backup " + number_of(result["counter"]) + " written and checked: " + escape_for_terminal(path) + "\n" +
      number_of(result["records"]) + " records, " + number_of(result["size"]) + " bytes\nopens with:";
  for (const Json& one :
       result["recipients"].array() != nullptr ? *result["recipients"].array() : Json::Array{})
    out += "\n  " + shown(one);
  return out + "\nsigner: " + shown(result["signer"]) +
         "\nKeep the file on another disk, and the signer's line with your recovery words: a restore with\n"
         "--identity asks for it. popvault backup verify checks a copy.\n";
}

std::string contents_text(const Json& result) {
  return "backup " + number_of(result["counter"]) + " of vault " + shown(result["vault"]) + ", made " +
         shown(result["created_at"]) + ": " + number_of(result["records"]) + " records\n";
}

std::string verified_text(const Json& result) {
  std::string out = contents_text(result) + "It is whole, and signed by " + shown(result["signer"]) + "\n";
  if (result["newest_known"].int_or(0) > result["counter"].int_or(0))
    out += "A newer one was made: backup " + number_of(result["newest_known"]) + ".\n";
  return out;
}

std::string restored_text(const Json& result, bool by_identity) {
  std::string out = "restored " + contents_text(result);
  out +=
      "The new passphrase opens it. All agent keys are revoked: popvault agent add makes new ones,\n"
      "popvault policy set says what they may do.\n";
  out += by_identity
             ? "The recovery words of this vault are not known here: popvault unlock, then popvault recovery "
               "create.\n"
             : "The same recovery words stay good.\n";
  return out + "Now: popvault unlock, then popvault doctor.\n";
}

// Without a key, where the daemon may have one; none when the file needs another.
Result<std::optional<Json>> verify_by_itself(OwnerSession& session, const Json& params, int file) {
  auto result = call_with_file(session, "backup.verify", params, nullptr, file);
  if (result) return std::optional<Json>(std::move(*result));
  if (result.error().code == Errc::backup_wrong_key) return std::optional<Json>();
  return tl::unexpected(std::move(result.error()));
}

}  // namespace

Result<Output> create_backup(const Context& context) {
  const BackupOptions& given = context.args.backup;
  PV_ASSIGN(const Json recipients, checked_recipients(given));
  PV_TRY(check_free(given.file));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json status, session.call("vault.status"));
  if (status["recovery"].is_null() && given.recipients.empty()) return fail(Errc::recovery_missing);
  PV_ASSIGN(const Signer signer, ask_signer(context, session, "make a backup"));
  PV_ASSIGN(NewFile file, NewFile::create(given.file));
  PV_ASSIGN(const Json result,
            session.call_with_proof("backup.create", Json::Object{{"recipients", recipients}}, signer, nullptr, nullptr,
                                    file.descriptor()));
  PV_TRY(file.keep());
  Json out = result;
  out.set("file", given.file);
  return Output{std::move(out), created_text(given.file, result)};
}

Result<Output> verify_backup(const Context& context) {
  const BackupOptions& given = context.args.backup;
  PV_TRY(check_key_options(context.args));
  PV_ASSIGN(const auto signer, checked_signer(given));
  PV_ASSIGN(const Descriptor file, open_backup(given.file));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  Json params = Json::Object{};
  if (signer) params.set("signer", *signer);
  if (session.state() == "unlocked" && !context.args.words_fd && !given.identity) {
    PV_ASSIGN(auto result, verify_by_itself(session, params, file.get()));
    if (result) return Output{*result, verified_text(*result)};
    // A script that gave no key is told what is wrong, not that nobody can be asked.
    if (!Terminal::open()) return fail(Errc::backup_wrong_key);
  }
  PV_ASSIGN(const BackupKeys keys, ask_keys(context, session));
  PV_ASSIGN(const SecretFields bundle, bundle_of_keys(keys));
  // A connection of its own: finding the words took its time.
  PV_ASSIGN(OwnerSession now, OwnerSession::open(context));
  PV_ASSIGN(const Json result, call_with_file(now, "backup.verify", params, &bundle, file.get()));
  return Output{result, verified_text(result)};
}

Result<Output> restore_backup(const Context& context) {
  const BackupOptions& given = context.args.backup;
  PV_TRY(check_key_options(context.args));
  if (given.identity && !given.signer)
    return fail(Errc::usage, "--identity needs --signer: the line that popvault backup create showed");
  PV_ASSIGN(const auto signer, checked_signer(given));
  PV_ASSIGN(const Descriptor file, open_backup(given.file));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() != "uninitialised") return fail(Errc::vault_exists);
  PV_ASSIGN(const BackupKeys keys, ask_keys(context, session));
  PV_ASSIGN(SecretFields bundle, bundle_of_keys(keys));
  PV_ASSIGN(const SecretBytes passphrase,
            choose_passphrase(context.args.new_passphrase_fd, "the vault", "--new-passphrase-fd"));
  PV_ASSIGN(const SecretBytes key, derive_passphrase_key(real_fs(), context.paths.home, passphrase));
  PV_TRY(bundle.set("key", key.reveal(SecretAccess{})));
  Json params = Json::Object{{"allow_older", given.allow_older}};
  if (signer) params.set("signer", *signer);
  PV_ASSIGN(OwnerSession now, OwnerSession::open(context));
  PV_ASSIGN(const Json result, call_with_file(now, "backup.restore", params, &bundle, file.get()));
  return Output{result, restored_text(result, keys.signing.empty())};
}

}  // namespace popvault::cli
