// The command line as plain structs. The only place that knows CLI11 is arguments.cpp.
//
// Secrets are never arguments: an option that looks like one is refused with what to use instead, and no
// argument that might be a secret is repeated in a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace popvault::cli {

enum class Verb : std::uint8_t {
  init,
  unlock,
  lock,
  freeze,
  unfreeze,
  stop,
  status,
  doctor,
  passphrase,
  recovery_create,
  recovery_use,
  recovery_identity,
  backup_create,
  backup_verify,
  backup_restore,
  add,
  list,
  show,
  edit,
  remove,
  reveal,
  import_file,
  export_file,
  agent_add,
  agent_list,
  agent_rotate,
  agent_suspend,
  agent_resume,
  agent_revoke,
  authenticator_add_ssh,
  authenticator_add_raw,
  authenticator_list,
  authenticator_remove,
  policy_set,
  policy_show,
  policy_unset,
  policy_kill,
  recipe_list,
  recipe_add,
  recipe_remove,
  recipe_pin,
  recipe_rollback,
  config_get,
  config_set,
  approvals,
  approve,
  deny,
  purchases,
  purchase_settle,
  purchase_release,
  purchase_adjust,
  grant,
  grants,
  revoke_grant,
  audit_list,
  audit_verify,
  audit_export,
  audit_purge,
  rotate,
  epochs,
  browser,
  completion,
};

struct InitOptions {
  bool machine = false;
  bool accept_public_salt = false;
};

struct PassphraseOptions {
  bool remove = false;
  bool accept_machine_key = false;
  bool accept_public_salt = false;
};

struct BackupOptions {
  std::string file;
  std::vector<std::string> recipients;
  std::optional<std::string> identity;  // a file
  std::optional<std::string> signer;
  bool allow_older = false;
};

struct RecordOptions {
  std::string kind;  // of `add`: card, identity, login, api-key; of `list`: empty or one of these
  std::string label;
  std::string id;
  bool trash = false;  // of `list`
  bool now = false;    // of `rm`
  bool undo = false;
};

struct ForeignFile {
  std::string file;
  std::optional<std::string> mode;
  std::optional<std::string> machine_id_hex;
  std::optional<std::string> username;
  std::optional<std::string> salt_hex;
  bool dry_run = false;
  std::string label = "Imported";
  std::string record;  // of export
  std::optional<int> file_passphrase_fd;
  bool accept_public_salt = false;
};

struct AgentOptions {
  std::string agent;  // name or id
  std::optional<std::string> key_file;
  std::optional<std::int64_t> uid;
  std::optional<int> expires_days;
};

struct AuthenticatorOptions {
  std::optional<std::string> key;  // comment, fingerprint or .pub file
  std::optional<std::string> label;
  std::string public_key;  // hex
  std::string id;
};

// Of `set`, what is left out stays as it is.
struct PolicyOptions {
  std::string agent;
  std::vector<std::string> merchants;
  std::vector<std::string> processors;  // ORIGIN, MERCHANT=ORIGIN or none
  std::vector<std::string> accounts;         // MERCHANT=ACCOUNT, MERCHANT=none or none
  std::vector<std::string> price_selectors;  // MERCHANT=SELECTOR, MERCHANT=none or none
  std::vector<std::string> records;
  std::optional<std::string> per_use, per_day, per_month, ask_above;  // decimals
  std::optional<std::string> currency, strength, unlisted, expires;
  std::optional<std::int64_t> uses_per_hour, price_drift;
  bool no_kill = false;
  std::optional<std::string> explain;  // of `show`: a file, or "-"
};

struct RecipeOptions {
  std::string recipe;  // a name, or of `add` a file
  std::int64_t version = 0;
  bool owner_vouches = false;
};

struct ConfigOptions {
  std::optional<std::string> key;
  std::string value;
};

struct PurchaseOptions {
  std::string id;
  bool watch = false;
  bool force = false;            // of `approve`
  std::string agent;             // of `adjust`
  std::string amount, currency, reason;
  std::optional<std::string> status;
  int limit = 50;
};

struct GrantOptions {
  std::string agent;
  std::string id;  // of `revoke`
  std::vector<std::string> records;
  std::optional<std::string> ttl;
  std::optional<std::string> seal;
};

struct BrowserOptions {
  bool headless = false;
  bool require_token = false;
  bool stop = false;
  std::optional<std::int64_t> port;
  std::optional<std::string> profile;
};

struct EpochOptions {
  bool now = false;
};

struct AuditOptions {
  std::optional<std::string> file;        // of verify and export
  std::optional<std::string> public_key;  // hex
  std::optional<std::string> agent, since, kind;
  std::string format = "jsonl";
  std::string subject;  // an agent's name or id
  std::optional<std::int64_t> after;
  int limit = 100;
};

// What was asked. The members that the verb does not use keep their defaults.
struct Arguments {
  Verb verb = Verb::status;
  bool json = false;
  std::optional<int> passphrase_fd;
  std::optional<int> new_passphrase_fd;
  std::optional<int> words_fd;  // of `recovery create` to write to, else to read
  std::optional<int> fields_fd;
  std::optional<std::string> authenticator;          // "ssh"
  std::optional<std::string> authenticator_command;  // a program and its arguments
  InitOptions init;
  PassphraseOptions passphrase;
  BackupOptions backup;
  RecordOptions record;
  ForeignFile foreign;
  AgentOptions agent;
  AuthenticatorOptions authenticators;
  PolicyOptions policy;
  RecipeOptions recipe;
  ConfigOptions config;
  PurchaseOptions purchase;
  GrantOptions grant;
  AuditOptions audit;
  EpochOptions epoch;
  BrowserOptions browser;
  std::string shell;  // of completion
};

// Text to print and be done with: --help and --version.
struct Information {
  std::string text;
};

// Fails with usage.
Result<std::variant<Arguments, Information>> parse_arguments(int argc, const char* const* argv);
// Whether --json is among the words, for errors of the command line itself.
bool wants_json(int argc, const char* const* argv);

}  // namespace popvault::cli
