// import pop-pay, export pop-pay: the vault of the other tool is opened and sealed here, and only its card
// goes to or comes from the daemon (masked, sealed or in a bundle).
#include "cli/command.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/passphrase.hpp"
#include "crypto/digest.hpp"
#include "os/clock.hpp"
#include "vault/foreign.hpp"
#include "vault/masked_view.hpp"
#include "vault/vault_file.hpp"

namespace popvault::cli {
namespace {

Result<std::optional<Bytes>> hex_option(const std::optional<std::string>& text, const char* option) {
  if (!text) return std::optional<Bytes>{};
  auto bytes = from_hex(*text);
  if (!bytes) return fail(Errc::invalid_field, std::string(option) + " is not hex");
  return std::optional<Bytes>(std::move(*bytes));
}

// The word beside the file, else what a file without one is.
ForeignMode mode_beside(const std::string& file) {
  const auto bytes = read_system_file(real_fs(), parent_of(file) + "/.vault_mode", 64);
  if (!bytes) return ForeignMode::machine;
  std::string_view word = as_text(*bytes);
  while (!word.empty() && (word.back() == '\n' || word.back() == '\r' || word.back() == ' '))
    word.remove_suffix(1);
  return foreign_mode_of(word).value_or(ForeignMode::machine);
}

Result<ForeignOptions> import_options(const Arguments& args) {
  const ForeignFile& given = args.foreign;
  ForeignOptions out;
  out.mode = given.mode ? *foreign_mode_of(*given.mode) : mode_beside(given.file);
  PV_ASSIGN(out.machine_id, hex_option(given.machine_id_hex, "--machine-id-hex"));
  PV_ASSIGN(out.salt, hex_option(given.salt_hex, "--salt-hex"));
  out.username = given.username;
  if (!out.machine_id) {
    PV_ASSIGN(Bytes here, foreign_machine_id(real_fs(), given.file));
    out.machine_id = std::move(here);
  }
  if (out.mode == ForeignMode::passphrase) {
    PV_ASSIGN(out.passphrase, ask_passphrase(args.passphrase_fd, "open " + given.file));
  } else if (args.passphrase_fd) {
    return fail(Errc::usage,
                "this vault has no passphrase; leave --passphrase-fd out or add --mode passphrase");
  }
  return out;
}

// What the daemon would answer, without an id: nothing is stored.
Result<Json> view_without_id(const std::string& label, const SecretFields& card) {
  PV_ASSIGN(const SecretFields fields, view_of_card(label, card));
  const MaskedView view = masked_view({}, "card", {}, fields, system_clock().now());
  return Json(Json::Object{{"id", nullptr},
                           {"alias", nullptr},
                           {"kind", view.kind},
                           {"label", view.label},
                           {"brand", view.brand},
                           {"last4", view.last4},
                           {"masked", view.masked},
                           {"expired", view.expired}});
}

Output refused_card(const Error& error) {
  const Json out =
      Json::Object{{"ok", false}, {"reason", info(error.code).word}, {"message", error.message()}};
  return {out, "not importable: " + error.message() + "\n", info(error.code).exit_status};
}

Result<Output> describe(const std::string& label, const ForeignCard& found) {
  Json::Array names;
  std::string text = "fields:";
  for (const std::string& name : found.fields) {
    names.emplace_back(name);
    text += " " + name;
  }
  Json view;
  if (found.card) {
    PV_ASSIGN(view, view_without_id(label, *found.card));
  }
  text += "\n" + (found.card ? record_lines(view) : std::string("there is no card number in it\n"));
  return Output{Json::Object{{"ok", true}, {"fields", std::move(names)}, {"card", std::move(view)}},
                std::move(text)};
}

Result<Output> store_card(const Context& context, const std::string& label, const SecretFields& card) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json view,
            session.call("record.add", Json::Object{{"kind", "card"}, {"label", label}}, &card));
  return Output{view, "imported " + record_line(view)};
}

Status check_export(const Arguments& args) {
  const ForeignFile& given = args.foreign;
  const bool machine = given.mode == "machine-oss";
  if (machine && !given.accept_public_salt) return fail(Errc::consent_required);
  if (machine && given.file_passphrase_fd) return fail(Errc::usage, "a machine-oss file has no passphrase");
  if (!machine && given.accept_public_salt)
    return fail(Errc::usage, "--accept-public-salt goes with --mode machine-oss");
  if (args.passphrase_fd && args.passphrase_fd == given.file_passphrase_fd)
    return fail(Errc::usage, "--passphrase-fd and --file-passphrase-fd need two descriptors");
  FileStat st;
  if (real_fs().stat_path(given.file, st) == 0) return fail(Errc::already_exists, given.file);
  return {};
}

Result<SecretBytes> key_of_new_file(const ForeignFile& given) {
  ForeignOptions options;
  options.mode = given.mode == "machine-oss" ? ForeignMode::machine_oss : ForeignMode::passphrase;
  PV_ASSIGN(Bytes here, foreign_machine_id(real_fs(), given.file));
  options.machine_id = std::move(here);
  if (options.mode == ForeignMode::passphrase) {
    PV_ASSIGN(options.passphrase,
              choose_passphrase(given.file_passphrase_fd, given.file, "--file-passphrase-fd"));
  }
  return foreign_key(options);
}

}  // namespace

Result<Output> import_foreign(const Context& context) {
  const ForeignFile& given = context.args.foreign;
  PV_ASSIGN(const std::string label, checked_label(given.label));
  PV_ASSIGN(const Bytes file, read_named_file(given.file, kMaxVaultFile));
  PV_ASSIGN(const ForeignOptions options, import_options(context.args));
  PV_ASSIGN(const VaultDocument document, open_foreign(file, options));
  const auto found = foreign_card(document);
  if (!found && given.dry_run && found.error().code == Errc::invalid_field)
    return refused_card(found.error());
  if (!found) return tl::unexpected(found.error());
  if (given.dry_run) return describe(label, *found);
  if (!found->card) return fail(Errc::invalid_field, "number is empty: there is no card in this vault");
  return store_card(context, label, *found->card);
}

Result<Output> export_foreign_file(const Context& context) {
  const ForeignFile& given = context.args.foreign;
  PV_TRY(check_export(context.args));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Signer signer, ask_signer(context, session, "export the card"));
  PV_ASSIGN(const SecretBytes file_key, key_of_new_file(given));
  SecretFields bundle;
  PV_TRY(bundle.set("key", file_key.reveal(SecretAccess{})));
  PV_ASSIGN(const Json result,
            session.call_with_proof("record.export", Json::Object{{"id", given.record}}, signer, &bundle));
  const auto sealed = from_base64(result["file"].text_or(""));
  if (!sealed || sealed->empty()) return fail(Errc::internal, "the reply has no file");
  PV_TRY(write_new_file(given.file, *sealed));
  const Json out = Json::Object{{"file", given.file}, {"sha256", crypto::sha256(*sealed).hex()}};
  return Output{out, "written: " + given.file + "\nWhoever opens it has the whole card.\n"};
}

}  // namespace popvault::cli
