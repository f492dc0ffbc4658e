// What every command gets and gives.
#pragma once

#include <string>

#include "base/result.hpp"
#include "cli/arguments.hpp"
#include "os/paths.hpp"
#include "rpc/json.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::cli {

struct Context {
  const Arguments& args;
  Paths paths;
};

// What goes to standard output: `json` with --json, else `text` (whole lines); or `secret`, where that is not
// empty.
struct Output {
  Json json{};
  std::string text{};
  int exit_status = 0;
  SecretBytes secret{};  // made for --json or without, as was asked
};

using Command = Result<Output> (*)(const Context&);

// vault_commands.cpp
Result<Output> init_vault(const Context&);
Result<Output> unlock_vault(const Context&);
Result<Output> lock_vault(const Context&);
Result<Output> freeze_vault(const Context&);
Result<Output> unfreeze_vault(const Context&);
Result<Output> stop_daemon(const Context&);
// passphrase_command.cpp
Result<Output> change_passphrase(const Context&);
// recovery_commands.cpp
Result<Output> create_recovery(const Context&);
Result<Output> use_recovery(const Context&);
Result<Output> show_recovery_identity(const Context&);
// status_commands.cpp
Result<Output> show_status(const Context&);
// doctor.cpp
Result<Output> run_doctor(const Context&);
// backup_commands.cpp
Result<Output> create_backup(const Context&);
Result<Output> verify_backup(const Context&);
Result<Output> restore_backup(const Context&);
// record_commands.cpp
Result<Output> add_record(const Context&);
Result<Output> list_records(const Context&);
Result<Output> show_record(const Context&);
// edit_commands.cpp
Result<Output> edit_record(const Context&);
Result<Output> remove_record(const Context&);
// reveal_command.cpp
Result<Output> reveal_record(const Context&);
// foreign_commands.cpp
Result<Output> import_foreign(const Context&);
Result<Output> export_foreign_file(const Context&);
// agent_commands.cpp
Result<Output> add_agent(const Context&);
Result<Output> list_agents(const Context&);
Result<Output> rotate_agent(const Context&);
Result<Output> suspend_agent(const Context&);
Result<Output> resume_agent(const Context&);
Result<Output> revoke_agent(const Context&);
// authenticator_commands.cpp
Result<Output> add_ssh_authenticator(const Context&);
Result<Output> add_raw_authenticator(const Context&);
Result<Output> list_authenticators(const Context&);
Result<Output> remove_authenticator(const Context&);
// policy_commands.cpp
Result<Output> set_policy(const Context&);
Result<Output> show_policy(const Context&);
Result<Output> unset_policy(const Context&);
Result<Output> kill_policy(const Context&);
// recipes.cpp
Result<Output> list_recipes(const Context&);
Result<Output> add_recipe(const Context&);
Result<Output> remove_recipe(const Context&);
Result<Output> pin_recipe(const Context&);
Result<Output> roll_back_recipe(const Context&);
// policy_commands.cpp
Result<Output> get_config(const Context&);
Result<Output> set_config(const Context&);
// purchase_commands.cpp
Result<Output> list_approvals(const Context&);
Result<Output> approve_purchase(const Context&);
Result<Output> deny_purchase(const Context&);
Result<Output> list_purchases(const Context&);
Result<Output> settle_purchase(const Context&);
Result<Output> release_purchase(const Context&);
Result<Output> adjust_spending(const Context&);
// grant_commands.cpp
Result<Output> create_grant(const Context&);
Result<Output> list_grants(const Context&);
Result<Output> revoke_grant(const Context&);
// browser_commands.cpp
Result<Output> run_browser(const Context&);
// audit_commands.cpp
Result<Output> list_journal(const Context&);
Result<Output> verify_journal(const Context&);
Result<Output> export_journal(const Context&);
Result<Output> purge_subject(const Context&);
// epoch_commands.cpp
Result<Output> rotate_epoch(const Context&);
Result<Output> list_epochs(const Context&);
// completion.cpp
Result<Output> print_completion(const Context&);

// The whole program but for the hardening in main.cpp; gives the exit status.
int run(int argc, const char* const* argv);

}  // namespace popvault::cli
