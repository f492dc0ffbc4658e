#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

namespace popvault::cli {
namespace {

// Options that somebody may try, and what there is instead.
constexpr std::pair<std::string_view, std::string_view> kNeverArguments[] = {
    {"--passphrase", "--passphrase-fd N"},
    {"--password", "--passphrase-fd N"},
    {"--new-passphrase", "--new-passphrase-fd N"},
    {"--words", "--words-fd N"},
    {"--recovery-words", "--words-fd N"},
    {"--mnemonic", "--words-fd N"},
    {"--secret-key", "--identity FILE"},
    {"--number", "--fields-fd N"},
    {"--cvv", "--fields-fd N"},
    {"--cvc", "--fields-fd N"},
    {"--fields", "--fields-fd N"},
    {"--secret", "--fields-fd N"},
    {"--totp", "--fields-fd N"},
};

Status refuse_secrets(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    const std::string_view option = word.substr(0, word.find('='));
    for (const auto& row : kNeverArguments)
      if (option == row.first)
        return fail(Errc::usage,
                    "a secret is never an argument, where others can read it; answer the prompt or use " +
                        std::string(row.second) + " instead of " + std::string(option));
  }
  return {};
}

// Options that were replaced.
Status refuse_replaced(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i)
    if (const std::string_view word(argv[i]); word.substr(0, word.find('=')) == "--auto-approve-below")
      return fail(Errc::usage, "--auto-approve-below is gone; with --ask-above 4.99 you are asked from 5.00 on");
  return {};
}

// A word that may be shown in an error: an option's name, or a plain lower-case word such as a mistyped
// command.
std::string shown(std::string_view word) {
  if (word.starts_with("-")) word = word.substr(0, word.find('='));
  const bool plain = !word.empty() && word.size() <= 32 && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-';
  });
  return plain ? std::string(word) : "an argument";
}

class Parser {
 public:
  explicit Parser(Arguments& out)
      : out_(out), app_("Keeps your cards and lends AI agents their use, never the numbers.") {
    app_.name("popvault");
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.add_flag("--json", out_.json, "print JSON");
    app_.add_option("--authenticator", out_.authenticator, "ssh: an enrolled key in your ssh-agent gives the proof")
        ->check(CLI::IsMember({"ssh"}));
    app_.add_option("--authenticator-command", out_.authenticator_command,
                    "a program, and its arguments, that gives the proof: it reads the challenge and writes its public "
                    "key and signature in hex")
        ->type_name("PROGRAM");
    app_.set_version_flag("--version", "popvault " POPVAULT_VERSION, "print the version");
    app_.set_help_flag("-h,--help", "print this help");
    app_.footer(
        "Secrets come from a prompt or a descriptor (--passphrase-fd N, --fields-fd N), never from "
        "arguments.");
    vault();
    recovery();
    backups();
    records();
    foreign();
    agents();
    authenticators();
    policies();
    recipes();
    settings();
    purchases();
    grants();
    audit();
    epochs();
    browser();
  }

  Result<std::variant<Arguments, Information>> parse(int argc, const char* const* argv);

 private:
  CLI::App* command(CLI::App* under, const char* name, const char* text, std::optional<Verb> verb) {
    CLI::App* const sub = under->add_subcommand(name, text);
    if (!verb) return sub->require_subcommand(1), sub;
    sub->callback([this, verb] { out_.verb = *verb; });
    return sub;
  }
  CLI::App* command(const char* name, const char* text, std::optional<Verb> verb) {
    return command(&app_, name, text, verb);
  }
  void descriptor(CLI::App* sub, const char* name, std::optional<int>& target, const char* text) {
    sub->add_option(name, target, text)->check(CLI::Range(0, 1'048'576))->type_name("N");
  }
  void proof(CLI::App* sub) {
    descriptor(sub, "--passphrase-fd", out_.passphrase_fd,
               "read the vault's passphrase from this descriptor");
  }

  tl::unexpected<Error> unexpected_word() const {
    const std::vector<std::string> left = app_.remaining(true);
    return fail(Errc::usage, shown(left.empty() ? "" : left.front()) + " is not expected here");
  }

  void vault();
  void recovery();
  void backups();
  void records();
  void foreign();
  void agents();
  void authenticators();
  void policies();
  void recipes();
  void settings();
  void purchases();
  void grants();
  void browser();
  void audit();
  void epochs();

  Arguments& out_;
  CLI::App app_;
};

void Parser::vault() {
  CLI::App* const init = command("init", "make the vault", Verb::init);
  init->add_flag("--machine", out_.init.machine, "no passphrase: the key comes from this machine");
  init->add_flag("--accept-public-salt", out_.init.accept_public_salt,
                 "with --machine on a source build: anyone on this machine can derive the key");
  proof(init);
  proof(command("unlock", "open the vault", Verb::unlock));
  command("lock", "close the vault and wipe its keys", Verb::lock);
  command("freeze", "stop every use until unfreeze, also after a restart", Verb::freeze);
  proof(command("unfreeze", "allow uses again", Verb::unfreeze));
  command("stop", "end the daemon", Verb::stop);
  command("status", "say how things are", Verb::status);
  command("doctor", "look for what is wrong and say what to do", Verb::doctor);
  CLI::App* const completion = command("completion", "print a completion script", Verb::completion);
  completion->add_option("shell", out_.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

void Parser::recovery() {
  PassphraseOptions& p = out_.passphrase;
  const auto new_passphrase = [this](CLI::App* sub) {
    descriptor(sub, "--new-passphrase-fd", out_.new_passphrase_fd,
               "read the new passphrase from this descriptor");
  };
  const auto words = [this](CLI::App* sub) {
    descriptor(sub, "--words-fd", out_.words_fd, "read the recovery words from this descriptor");
  };
  CLI::App* const passphrase =
      command("passphrase", "set another passphrase, or take it away", Verb::passphrase);
  passphrase->add_flag("--remove", p.remove, "no passphrase any more: the key comes from this machine");
  passphrase->add_flag("--accept-machine-key", p.accept_machine_key,
                       "with --remove: any program of your user on this machine can derive the key");
  passphrase->add_flag("--accept-public-salt", p.accept_public_salt,
                       "with --remove on a source build: anyone on this machine can derive the key");
  new_passphrase(passphrase);
  proof(passphrase);

  CLI::App* const recovery =
      command("recovery", "24 words that open the vault when all else is lost", std::nullopt);
  CLI::App* const create =
      command(recovery, "create", "make them; they are shown once", Verb::recovery_create);
  descriptor(create, "--words-fd", out_.words_fd, "write them to this descriptor instead, and ask none back");
  proof(create);
  CLI::App* const use =
      command(recovery, "use", "open the vault with them and set a new passphrase", Verb::recovery_use);
  words(use);
  new_passphrase(use);
  CLI::App* const identity =
      command(recovery, "identity", "print the secret key of age that opens the backups without popvault",
              Verb::recovery_identity);
  words(identity);
  proof(identity);
}

void Parser::backups() {
  BackupOptions& b = out_.backup;
  CLI::App* const backup = command("backup", "a copy of everything in one encrypted file", std::nullopt);
  const auto key = [&](CLI::App* sub) {
    sub->add_option("file", b.file, "the backup")->required();
    descriptor(sub, "--words-fd", out_.words_fd, "read the recovery words from this descriptor");
    sub->add_option("--identity", b.identity,
                    "a file of age's own form with an AGE-SECRET-KEY-1... line, "
                    "instead of the words");
    sub->add_option("--signer", b.signer,
                    "who must have signed it, in hex, as popvault backup create showed");
  };
  CLI::App* const create = command(backup, "create", "make one, and check it", Verb::backup_create);
  create->add_option("file", b.file, "the file to make; it must not exist")->required();
  create->add_option("--recipient", b.recipients, "an age1... key that opens it too; may be given again")
      ->allow_extra_args(false);
  proof(create);
  CLI::App* const verify =
      command(backup, "verify", "check that one is whole and yours", Verb::backup_verify);
  key(verify);
  CLI::App* const restore =
      command(backup, "restore", "make a vault of one, where there is none", Verb::backup_restore);
  key(restore);
  descriptor(restore, "--new-passphrase-fd", out_.new_passphrase_fd,
             "read the new passphrase from this descriptor");
  restore->add_flag("--allow-older", b.allow_older, "also when a newer one is known");
}

void Parser::records() {
  const CLI::IsMember kinds({"card", "identity", "login", "api-key"});
  CLI::App* const add = command("add", "add a record", Verb::add);
  add->add_option("kind", out_.record.kind, "card, identity, login or api-key")->required()->check(kinds);
  add->add_option("--label", out_.record.label, "what you call it");
  descriptor(add, "--fields-fd", out_.fields_fd, "read lines name=value from this descriptor");
  CLI::App* const list = command("list", "list the records, masked", Verb::list);
  list->add_option("--kind", out_.record.kind, "only this kind")->check(kinds);
  list->add_flag("--trash", out_.record.trash, "only what is in the trash");
  CLI::App* const show = command("show", "show one record, masked", Verb::show);
  show->add_option("id", out_.record.id, "its id or alias")->required();
  CLI::App* const edit = command("edit", "change a record's fields or label", Verb::edit);
  edit->add_option("id", out_.record.id, "its id or alias")->required();
  edit->add_option("--label", out_.record.label, "what you call it from now on");
  descriptor(edit, "--fields-fd", out_.fields_fd,
             "read lines name=value from this descriptor; only these change, an empty value takes one away");
  proof(edit);
  CLI::App* const remove = command("rm", "move a record to the trash for 30 days", Verb::remove);
  remove->add_option("id", out_.record.id, "its id or alias")->required();
  remove->add_flag("--now", out_.record.now, "destroy it at once, also when it is in the trash");
  remove->add_flag("--undo", out_.record.undo, "take it back out of the trash");
  proof(remove);
  CLI::App* const reveal = command("reveal", "show a record's values on this terminal for 30 seconds", Verb::reveal);
  reveal->add_option("id", out_.record.id, "its id or alias")->required();
  proof(reveal);
}

void Parser::foreign() {
  ForeignFile& f = out_.foreign;
  CLI::App* const import = command("import", "take over a vault of another tool", std::nullopt);
  CLI::App* const in =
      command(import, "pop-pay", "a pop-pay vault.enc; it is not changed", Verb::import_file);
  in->add_option("file", f.file, "the vault.enc")->required();
  in->add_option("--mode", f.mode, "how it is sealed; default: the .vault_mode beside it, else machine")
      ->check(CLI::IsMember({"machine", "machine-oss", "machine-hardened", "passphrase", "oss", "hardened"}));
  in->add_option("--machine-id-hex", f.machine_id_hex,
                 "the machine id of its machine, in hex; default: this one's");
  in->add_option("--username", f.username, "the user name it was made under; default: yours");
  in->add_option("--salt-hex", f.salt_hex, "the salt of the build that made it, in hex");
  in->add_flag("--dry-run", f.dry_run, "only say what is in it, masked");
  in->add_option("--label", f.label, "what you call the card");
  descriptor(in, "--passphrase-fd", out_.passphrase_fd, "read its passphrase from this descriptor");

  CLI::App* const export_ = command("export", "write a vault for another tool", std::nullopt);
  CLI::App* const out =
      command(export_, "pop-pay", "a new pop-pay vault.enc with one card", Verb::export_file);
  out->add_option("file", f.file, "the file to make; it must not exist")->required();
  out->add_option("--record", f.record, "the card's id or alias")->required();
  out->add_option("--mode", f.mode, "passphrase (default) or machine-oss")
      ->check(CLI::IsMember({"passphrase", "machine-oss"}));
  out->add_flag("--accept-public-salt", f.accept_public_salt,
                "with machine-oss: anyone on this machine can open the file");
  descriptor(out, "--file-passphrase-fd", f.file_passphrase_fd,
             "read the new file's passphrase from this descriptor");
  proof(out);
}

void Parser::agents() {
  CLI::App* const agent = command("agent", "agents and their keys", std::nullopt);
  CLI::App* const add = command(agent, "add", "enroll an agent; its key is shown once", Verb::agent_add);
  add->add_option("name", out_.agent.agent, "its name")->required();
  add->add_option("--key-file", out_.agent.key_file, "write the key to this new file instead");
  proof(add);
  add->add_option("--uid", out_.agent.uid, "the key is good for this user alone")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{4'294'967'294}));
  add->add_option("--expires-days", out_.agent.expires_days, "a key lives so many days; default and most: 90")
      ->check(CLI::Range(1, 90));
  command(agent, "list", "list the agents", Verb::agent_list);
  const auto named = [this, agent](const char* name, const char* text, Verb verb) {
    CLI::App* const sub = command(agent, name, text, verb);
    sub->add_option("agent", out_.agent.agent, "its id or name")->required();
    return sub;
  };
  CLI::App* const rotate = named("rotate", "give an agent a new key; the old one ends at once", Verb::agent_rotate);
  rotate->add_option("--key-file", out_.agent.key_file, "write the key to this new file instead");
  proof(rotate);
  named("suspend", "refuse everything that an agent asks, until resume", Verb::agent_suspend);
  proof(named("resume", "let a suspended agent go on", Verb::agent_resume));
  named("revoke", "end an agent's key at once", Verb::agent_revoke);
}

void Parser::authenticators() {
  AuthenticatorOptions& a = out_.authenticators;
  CLI::App* const all = command("authenticator", "who besides the passphrase may give the owner's proofs", std::nullopt);
  CLI::App* const add = command(all, "add", "enroll one", std::nullopt);
  CLI::App* const ssh = command(add, "ssh", "an ssh-ed25519 key that your ssh-agent holds", Verb::authenticator_add_ssh);
  ssh->add_option("--key", a.key, "its comment, its fingerprint (SHA256:...), or its .pub file; default: the only one");
  ssh->add_option("--label", a.label, "what you call it; default: its comment");
  proof(ssh);
  CLI::App* const raw = command(add, "raw", "any Ed25519 public key", Verb::authenticator_add_raw);
  raw->add_option("--public-key", a.public_key, "64 hex digits")->required();
  raw->add_option("--label", a.label, "what you call it")->required();
  proof(raw);
  command(all, "list", "list them", Verb::authenticator_list);
  CLI::App* const remove = command(all, "rm", "take one away; its proofs end at once", Verb::authenticator_remove);
  remove->add_option("id", a.id, "its id")->required();
  proof(remove);
}

void Parser::policies() {
  PolicyOptions& p = out_.policy;
  CLI::App* const policy = command("policy", "what an agent may do", std::nullopt);
  CLI::App* const set = command(policy, "set", "set or change an agent's policy; what is left out stays", Verb::policy_set);
  set->add_option("agent", p.agent, "its id or name")->required();
  set->add_option("--merchant", p.merchants, "an exact origin, such as https://shop.example; may be given again");
  set->add_option("--processor", p.processors,
                  "an origin whose frames in the merchants' pages may get card fields; MERCHANT=ORIGIN for one; none");
  set->add_option("--account", p.accounts, "a merchant account that its page may pay, as MERCHANT=ACCOUNT; MERCHANT=none");
  set->add_option("--price-selector", p.price_selectors,
                  "where a merchant's page shows the price, as MERCHANT=SELECTOR (CSS); MERCHANT=none");
  set->add_option("--record", p.records, "only these cards; default: every card, which is '*'");
  set->add_option("--per-use", p.per_use, "most for one purchase, such as 50.00");
  set->add_option("--per-day", p.per_day, "most in any 24 hours");
  set->add_option("--per-month", p.per_month, "most in any 30 days; default: 30 times --per-day");
  set->add_option("--currency", p.currency, "such as USD");
  set->add_option("--uses-per-hour", p.uses_per_hour, "most purchases in any hour; default: 10")->check(CLI::Range(0, 100'000));
  set->add_option("--ask-above", p.ask_above, "ask for more than this; default: 0, always ask");
  set->add_option("--strength", p.strength, "weakest way to place a card; default: wire")
      ->check(CLI::IsMember({"wire", "sealed", "wire_attached", "dom"}));
  set->add_option("--unlisted", p.unlisted, "what to do with another merchant; default: deny")->check(CLI::IsMember({"deny", "ask"}));
  set->add_option("--price-drift", p.price_drift, "how far a page's price may be off, in basis points; default: 0")
      ->check(CLI::Range(0, 10'000))
      ->type_name("BP");
  set->add_option("--expires", p.expires, "a number of days, a date such as 2027-01-31, or never")->type_name("WHEN");
  set->add_flag("--no-kill", p.no_kill, "turn the kill switch off again");
  proof(set);
  CLI::App* const kill = command(policy, "kill", "turn an agent's kill switch on: it may do nothing", Verb::policy_kill);
  kill->add_option("agent", p.agent, "its id or name")->required();
  CLI::App* const show = command(policy, "show", "show an agent's policy", Verb::policy_show);
  show->add_option("agent", p.agent, "its id or name")->required();
  show->add_option("--explain", p.explain, "say what would be decided about the request in this JSON file (- is standard input)")
      ->type_name("REQUEST.json");
  CLI::App* const unset = command(policy, "unset", "take an agent's policy away", Verb::policy_unset);
  unset->add_option("agent", p.agent, "its id or name")->required();
}

void Parser::recipes() {
  RecipeOptions& r = out_.recipe;
  CLI::App* const recipe = command("recipe", "how processors' pages send a card: what is in force, and what is offered", std::nullopt);
  command(recipe, "list", "list those in force or kept, and those that came with popvault", Verb::recipe_list);
  CLI::App* const add = command(recipe, "add", "take one; it comes into force if it is the newest of its name", Verb::recipe_add);
  add->add_option("recipe", r.recipe, "the name of one that came with popvault, or a file")->required();
  add->add_flag("--unsigned", r.owner_vouches, "also without a good signature: you vouch for it");
  proof(add);
  const auto named = [this, recipe, &r](const char* name, const char* text, Verb verb) {
    CLI::App* const sub = command(recipe, name, text, verb);
    sub->add_option("name", r.recipe, "its name")->required();
    return sub;
  };
  named("remove", "take one out of force, with all its versions", Verb::recipe_remove);
  CLI::App* const pin = named("pin", "put another version that is kept in force", Verb::recipe_pin);
  pin->add_option("version", r.version, "its number")->required()->check(CLI::Range(std::int64_t{1}, std::int64_t{UINT32_MAX}));
  proof(pin);
  proof(named("rollback", "put the version before the one in force in its place", Verb::recipe_rollback));
}

void Parser::settings() {
  CLI::App* const config = command("config", "the owner's settings", std::nullopt);
  CLI::App* const get = command(config, "get", "show all settings or one", Verb::config_get);
  get->add_option("key", out_.config.key, "browser.endpoint, browser.program, browser.exchange, allow_loopback_http, lock.after, lock.idle, approvals.hook, approvals.proof, ...");
  CLI::App* const change = command(config, "set", "change a setting", Verb::config_set);
  change->add_option("key", out_.config.key, "browser.endpoint, browser.program, browser.exchange, allow_loopback_http, lock.after, lock.idle, approvals.hook, approvals.proof, ...")->required();
  change->add_option("value", out_.config.value, "the value; none takes it away")->required();
  proof(change);
}

void Parser::purchases() {
  PurchaseOptions& p = out_.purchase;
  CLI::App* const approvals = command("approvals", "list what waits for you", Verb::approvals);
  approvals->add_flag("--watch", p.watch, "keep the list on the whole terminal, and answer there");
  CLI::App* const approve = command("approve", "allow one purchase", Verb::approve);
  approve->add_option("id", p.id, "the purchase")->required();
  approve->add_flag("--force", p.force, "one that the policy denied, against its limits");
  proof(approve);
  command("deny", "refuse one purchase", Verb::deny)->add_option("id", p.id, "the purchase")->required();

  CLI::App* const list = app_.add_subcommand("purchases", "list purchases; settle or release one");
  list->require_subcommand(0, 1);
  list->preparse_callback([this](std::size_t) { out_.verb = Verb::purchases; });
  list->add_option("--status", p.status, "only those with this status");
  list->add_option("--limit", p.limit, "at most so many")->check(CLI::Range(1, 100));
  CLI::App* const settle = command(list, "settle", "say that the money was spent", Verb::purchase_settle);
  settle->add_option("id", p.id, "the purchase")->required();
  proof(settle);
  CLI::App* const release = command(list, "release", "say that no money was spent", Verb::purchase_release);
  release->add_option("id", p.id, "the purchase")->required();
  proof(release);
  CLI::App* const adjust =
      command(list, "adjust", "correct what counts as spent by an agent", Verb::purchase_adjust);
  adjust->add_option("agent", p.agent, "its id or name")->required();
  adjust->add_option("--amount", p.amount, "such as 12.00, or -12.00 for money that came back")->required();
  adjust->add_option("--currency", p.currency, "such as USD")->required();
  adjust->add_option("--reason", p.reason, "for the journal")->required();
  proof(adjust);
}

void Parser::browser() {
  BrowserOptions& b = out_.browser;
  CLI::App* const browser =
      command("browser", "start the guarded browser: an agent that drives it cannot read the card", Verb::browser);
  browser->add_flag("--headless", b.headless, "without a window");
  browser->add_option("--port", b.port, "of the endpoint for agents; default: a free one")->check(CLI::Range(1024, 65535));
  browser->add_option("--profile", b.profile, "a folder for the browser's own files; default: browser in the home");
  browser->add_flag("--require-token", b.require_token, "the endpoint's address holds a token");
  browser->add_flag("--stop", b.stop, "stop the one that is running");
}

void Parser::grants() {
  GrantOptions& g = out_.grant;
  CLI::App* const grant =
      command("grant", "let an agent use named records for a while although the vault is locked", Verb::grant);
  grant->add_option("agent", g.agent, "its id or name")->required();
  grant->add_option("--record", g.records, "a record's id or alias; may be given again")->required()->allow_extra_args(false);
  grant->add_option("--ttl", g.ttl, "such as 30m or 8h; default 1h, at most 24h");
  grant->add_option("--seal", g.seal, "systemd: it outlives a restart of a service with the credential popvault-grant")
      ->check(CLI::IsMember({"systemd"}));
  proof(grant);
  command("grants", "list the grants", Verb::grants);
  command("revoke", "end a grant at once", Verb::revoke_grant)->add_option("id", g.id, "the grant")->required();
}

void Parser::audit() {
  AuditOptions& a = out_.audit;
  CLI::App* const audit = command("audit", "the journal", std::nullopt);
  const auto after = [&](CLI::App* sub) {
    sub->add_option("--after", a.after, "only rows after this number")->check(CLI::NonNegativeNumber);
  };
  CLI::App* const list = command(audit, "list", "show its rows", Verb::audit_list);
  after(list);
  list->add_option("--limit", a.limit, "at most so many")->check(CLI::Range(1, 1000));
  list->add_option("--agent", a.agent, "only rows about this agent and its purchases");
  list->add_option("--since", a.since, "only rows since then: 24h, 7d, 2026-11-22 or 2026-11-22T10:00:00Z");
  list->add_option("--kind", a.kind, "only rows of this kind, such as purchase_requested");
  CLI::App* const verify = command(audit, "verify", "check that nothing was changed or cut", Verb::audit_verify);
  verify->add_option("--file", a.file, "check an exported file instead, without the daemon");
  verify->add_option("--public-key", a.public_key, "with --file: the vault's key, as audit verify shows it");
  CLI::App* const save = command(audit, "export", "write it to a new file that anybody can check", Verb::audit_export);
  save->add_option("file", a.file, "the new file")->required();
  save->add_option("--format", a.format, "jsonl, a line of JSON for each row")->check(CLI::IsMember({"jsonl"}));
  after(save);
  proof(save);
  CLI::App* const purge =
      command(audit, "purge", "destroy what it tells personally of an agent; the rows stay", Verb::audit_purge);
  purge->add_option("--subject", a.subject, "the agent")->required();
  proof(purge);
}

void Parser::epochs() {
  CLI::App* const rotate =
      command("rotate", "begin a new epoch: records move to a new key, the old one dies", Verb::rotate);
  rotate->add_flag("--now", out_.epoch.now, "move every record now and wait until the old keys are gone");
  proof(rotate);
  command("epochs", "list the epochs and how many records each has", Verb::epochs);
}

Result<std::variant<Arguments, Information>> Parser::parse(int argc, const char* const* argv) {
  using Answer = std::variant<Arguments, Information>;
  try {
    app_.parse(argc, argv);
    return Answer(out_);
  } catch (const CLI::CallForHelp&) {
    return Answer(Information{app_.help("", CLI::AppFormatMode::Normal)});
  } catch (const CLI::CallForVersion& version) {
    return Answer(Information{std::string(version.what()) + "\n"});
  } catch (const CLI::ExtrasError&) {
    return unexpected_word();
  } catch (const CLI::RequiredError& e) {
    if (!app_.remaining(true).empty()) return unexpected_word();
    const std::string text = e.what();
    return fail(Errc::usage, text == "A subcommand is required" ? "a command is missing" : text);
  } catch (const CLI::ValidationError& e) {
    // "--mode: X not in {a,b}": X is what was written, so only the option's name is repeated.
    const std::string text = e.what();
    return fail(Errc::usage, "wrong value for " + text.substr(0, text.find(':')));
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string text = e.what();
    return fail(Errc::usage, text.substr(0, text.find(':')) + " does not take that many values");
  } catch (const CLI::ConversionError&) {
    return fail(Errc::usage, "a number is expected");
  } catch (const CLI::Error& e) {
    return fail(Errc::usage, e.get_name());
  }
}

}  // namespace

bool wants_json(int argc, const char* const* argv) {
  return std::any_of(argv + std::min(argc, 1), argv + argc,
                     [](std::string_view word) { return word == "--json"; });
}

Result<std::variant<Arguments, Information>> parse_arguments(int argc, const char* const* argv) {
  PV_TRY(refuse_secrets(argc, argv));
  PV_TRY(refuse_replaced(argc, argv));
  Arguments out;
  return Parser(out).parse(argc, argv);
}

}  // namespace popvault::cli
