#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/command.hpp"
#include "base/display.hpp"

namespace popvault::cli {
namespace {

struct Row {
  Verb verb;
  Command command;
};

// In the order of Verb.
constexpr std::array kCommands = {
    Row{Verb::init, init_vault},
    Row{Verb::unlock, unlock_vault},
    Row{Verb::lock, lock_vault},
    Row{Verb::freeze, freeze_vault},
    Row{Verb::unfreeze, unfreeze_vault},
    Row{Verb::stop, stop_daemon},
    Row{Verb::status, show_status},
    Row{Verb::doctor, run_doctor},
    Row{Verb::passphrase, change_passphrase},
    Row{Verb::recovery_create, create_recovery},
    Row{Verb::recovery_use, use_recovery},
    Row{Verb::recovery_identity, show_recovery_identity},
    Row{Verb::backup_create, create_backup},
    Row{Verb::backup_verify, verify_backup},
    Row{Verb::backup_restore, restore_backup},
    Row{Verb::add, add_record},
    Row{Verb::list, list_records},
    Row{Verb::show, show_record},
    Row{Verb::edit, edit_record},
    Row{Verb::remove, remove_record},
    Row{Verb::reveal, reveal_record},
    Row{Verb::import_file, import_foreign},
    Row{Verb::export_file, export_foreign_file},
    Row{Verb::agent_add, add_agent},
    Row{Verb::agent_list, list_agents},
    Row{Verb::agent_rotate, rotate_agent},
    Row{Verb::agent_suspend, suspend_agent},
    Row{Verb::agent_resume, resume_agent},
    Row{Verb::agent_revoke, revoke_agent},
    Row{Verb::authenticator_add_ssh, add_ssh_authenticator},
    Row{Verb::authenticator_add_raw, add_raw_authenticator},
    Row{Verb::authenticator_list, list_authenticators},
    Row{Verb::authenticator_remove, remove_authenticator},
    Row{Verb::policy_set, set_policy},
    Row{Verb::policy_show, show_policy},
    Row{Verb::policy_unset, unset_policy},
    Row{Verb::policy_kill, kill_policy},
    Row{Verb::recipe_list, list_recipes},
    Row{Verb::recipe_add, add_recipe},
    Row{Verb::recipe_remove, remove_recipe},
    Row{Verb::recipe_pin, pin_recipe},
    Row{Verb::recipe_rollback, roll_back_recipe},
    Row{Verb::config_get, get_config},
    Row{Verb::config_set, set_config},
    Row{Verb::approvals, list_approvals},
    Row{Verb::approve, approve_purchase},
    Row{Verb::deny, deny_purchase},
    Row{Verb::purchases, list_purchases},
    Row{Verb::purchase_settle, settle_purchase},
    Row{Verb::purchase_release, release_purchase},
    Row{Verb::purchase_adjust, adjust_spending},
    Row{Verb::grant, create_grant},
    Row{Verb::grants, list_grants},
    Row{Verb::revoke_grant, revoke_grant},
    Row{Verb::audit_list, list_journal},
    Row{Verb::audit_verify, verify_journal},
    Row{Verb::audit_export, export_journal},
    Row{Verb::audit_purge, purge_subject},
    Row{Verb::rotate, rotate_epoch},
    Row{Verb::epochs, list_epochs},
    Row{Verb::browser, run_browser},
    Row{Verb::completion, print_completion},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kCommands.size(); ++i)
    if (static_cast<std::size_t>(kCommands[i].verb) != i) return false;
  return true;
}
static_assert(in_order() && kCommands.size() == static_cast<std::size_t>(Verb::completion) + 1);

// A full disk or a closed pipe must not look like success: what was printed may have been a key.
bool write_out(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

int report(const Error& error, bool json) {
  const ErrcInfo& row = info(error.code);
  if (json) {
    const Json body = Json::Object{
        {"reason", row.word}, {"message", escape_for_terminal(error.message())}, {"remediation", row.todo}};
    write_out(2, Json(Json::Object{{"error", body}}).dump() + "\n");
  } else {
    write_out(2, "popvault: " + escape_for_terminal(error.message()) + " (" + std::string(row.todo) + ")\n");
  }
  return row.exit_status;
}

// Before anything is opened: a number that nobody passed could otherwise be our own socket a moment later.
Status check_descriptors(const Arguments& args) {
  for (const std::optional<int>& fd : {args.passphrase_fd, args.fields_fd, args.words_fd,
                                       args.new_passphrase_fd, args.foreign.file_passphrase_fd})
    if (fd && fcntl(*fd, F_GETFD) < 0)
      return fail(Errc::usage, "descriptor " + std::to_string(*fd) + " is not open");
  return {};
}

Result<int> perform(const Arguments& args) {
  PV_TRY(check_descriptors(args));
  PV_ASSIGN(Paths paths, find_paths());
  const Context context{args, std::move(paths)};
  PV_ASSIGN(const Output output, kCommands[static_cast<std::size_t>(args.verb)].command(context));
  const bool written = output.secret.empty()
                           ? write_out(1, args.json ? escape_json(output.json.dump()) + "\n" : output.text)
                           : write_out(1, as_text(output.secret.reveal(SecretAccess{})));
  if (!written) return fail_errno(errno, "writing to standard output");
  return output.exit_status;
}

}  // namespace

int run(int argc, const char* const* argv) {
  const auto parsed = parse_arguments(argc, argv);
  if (!parsed) return report(parsed.error(), wants_json(argc, argv));
  if (const auto* information = std::get_if<Information>(&*parsed))
    return write_out(1, information->text) ? 0 : 1;
  const Arguments& args = std::get<Arguments>(*parsed);
  const Result<int> status = perform(args);
  return status ? *status : report(status.error(), args.json);
}

}  // namespace popvault::cli
