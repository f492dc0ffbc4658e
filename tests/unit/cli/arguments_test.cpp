#include "cli/arguments.hpp"

#include <gtest/gtest.h>

namespace popvault::cli {
namespace {

Result<std::variant<Arguments, Information>> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "popvault");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

Arguments parsed(std::vector<const char*> words) {
  auto result = parse(std::move(words));
  EXPECT_TRUE(result) << result.error().message();
  return result ? std::get<Arguments>(*result) : Arguments{};
}

TEST(Arguments, Commands) {
  const std::pair<std::vector<const char*>, Verb> rows[] = {
      {{"init"}, Verb::init},
      {{"unlock", "--passphrase-fd", "0"}, Verb::unlock},
      {{"--json", "status"}, Verb::status},
      {{"passphrase", "--new-passphrase-fd", "3"}, Verb::passphrase},
      {{"passphrase", "--remove", "--accept-machine-key", "--accept-public-salt"}, Verb::passphrase},
      {{"recovery", "create", "--words-fd", "1"}, Verb::recovery_create},
      {{"recovery", "use", "--words-fd", "0", "--new-passphrase-fd", "3"}, Verb::recovery_use},
      {{"recovery", "identity", "--passphrase-fd", "0"}, Verb::recovery_identity},
      {{"add", "card", "--label", "L", "--fields-fd", "0"}, Verb::add},
      {{"list", "--trash"}, Verb::list},
      {{"show", "rec_1"}, Verb::show},
      {{"edit", "rec_1", "--label", "L", "--fields-fd", "0", "--passphrase-fd", "3"}, Verb::edit},
      {{"rm", "rec_1", "--now"}, Verb::remove},
      {{"rm", "--undo", "rec_1"}, Verb::remove},
      {{"reveal", "rec_1", "--passphrase-fd", "0"}, Verb::reveal},
      {{"import", "pop-pay", "f", "--dry-run"}, Verb::import_file},
      {{"export", "pop-pay", "f", "--record", "r"}, Verb::export_file},
      {{"backup", "create", "f", "--recipient", "age1a"}, Verb::backup_create},
      {{"backup", "verify", "f", "--words-fd", "0"}, Verb::backup_verify},
      {{"backup", "restore", "f", "--identity", "k", "--signer", "00"}, Verb::backup_restore},
      {{"agent", "add", "n"}, Verb::agent_add},
      {{"recipe", "list"}, Verb::recipe_list},
      {{"recipe", "add", "stripe", "--unsigned", "--passphrase-fd", "0"}, Verb::recipe_add},
      {{"recipe", "remove", "stripe"}, Verb::recipe_remove},
      {{"recipe", "pin", "stripe", "2"}, Verb::recipe_pin},
      {{"recipe", "rollback", "stripe"}, Verb::recipe_rollback},
      {{"config", "get"}, Verb::config_get},
      {{"config", "set", "browser.endpoint", "none"}, Verb::config_set},
      {{"approvals", "--watch"}, Verb::approvals},
      {{"purchases"}, Verb::purchases},
      {{"purchases", "settle", "pur_1"}, Verb::purchase_settle},
      {{"purchases", "release", "pur_1"}, Verb::purchase_release},
      {{"audit", "list", "--agent", "a", "--since", "24h", "--kind", "locked"}, Verb::audit_list},
      {{"audit", "verify"}, Verb::audit_verify},
      {{"audit", "verify", "--file", "f", "--public-key", "00"}, Verb::audit_verify},
      {{"audit", "export", "f", "--format", "jsonl"}, Verb::audit_export},
      {{"audit", "purge", "--subject", "a", "--passphrase-fd", "0"}, Verb::audit_purge},
      {{"completion", "zsh"}, Verb::completion},
  };
  for (const auto& row : rows) EXPECT_EQ(parsed(row.first).verb, row.second) << row.first[0];
}

TEST(Arguments, OptionsInAnyPlace) {
  EXPECT_TRUE(parsed({"--json", "list"}).json);
  EXPECT_TRUE(parsed({"agent", "list", "--json"}).json);
  EXPECT_EQ(parsed({"approve", "pur_1", "--passphrase-fd", "3"}).passphrase_fd, 3);
  EXPECT_FALSE(parsed({"approve", "pur_1"}).passphrase_fd);
}

TEST(Arguments, Records) {
  EXPECT_TRUE(parsed({"list", "--trash"}).record.trash);
  const Arguments edit = parsed({"edit", "rec_1", "--label", "L", "--fields-fd", "4"});
  EXPECT_EQ(edit.record.id, "rec_1");
  EXPECT_EQ(edit.record.label, "L");
  EXPECT_EQ(edit.fields_fd, 4);
  const Arguments undo = parsed({"rm", "--undo", "rec_1"});
  EXPECT_TRUE(undo.record.undo);
  EXPECT_FALSE(undo.record.now);
  EXPECT_EQ(undo.record.id, "rec_1");
  for (const std::vector<const char*>& words : {std::vector<const char*>{"edit"}, {"rm"}, {"rm", "--undo"}, {"reveal"},
                                                {"reveal", "a", "b"}, {"show", "a", "--trash"}})
    EXPECT_FALSE(parse(words)) << words[0];
}

TEST(Arguments, ARecipientTakesOneWord) {
  const Arguments args = parsed({"backup", "create", "--recipient", "age1a", "--recipient", "age1b", "f"});
  EXPECT_EQ(args.backup.file, "f");
  EXPECT_EQ(args.backup.recipients, (std::vector<std::string>{"age1a", "age1b"}));
  EXPECT_FALSE(args.backup.allow_older);
}

TEST(Arguments, Policy) {
  const Arguments args = parsed({"policy", "set", "shopper", "--merchant", "https://a", "https://b",
                                 "--processor", "https://p", "--per-use", "50.00", "--per-day", "200.00",
                                 "--currency", "USD", "--strength", "dom", "--ask-above", "5", "--uses-per-hour", "3",
                                 "--unlisted", "ask", "--expires", "30", "--price-drift", "150", "--passphrase-fd", "0"});
  EXPECT_EQ(args.verb, Verb::policy_set);
  EXPECT_EQ(args.policy.agent, "shopper");
  EXPECT_EQ(args.policy.merchants, (std::vector<std::string>{"https://a", "https://b"}));
  EXPECT_EQ(args.policy.processors, (std::vector<std::string>{"https://p"}));
  EXPECT_EQ(args.policy.strength, "dom");
  EXPECT_EQ(args.policy.ask_above, "5");
  EXPECT_EQ(args.policy.uses_per_hour, 3);
  EXPECT_EQ(args.policy.unlisted, "ask");
  EXPECT_EQ(args.policy.expires, "30");
  EXPECT_EQ(args.policy.price_drift, 150);
  EXPECT_FALSE(args.policy.per_month);
  EXPECT_FALSE(args.policy.no_kill);
}

TEST(Arguments, WrongOnesAreUsage) {
  const std::vector<const char*> rows[] = {
      {},
      {"foo"},
      {"lock", "extra"},
      {"lock", "--nothing"},
      {"agent"},
      {"agent", "foo"},
      {"agent", "add"},
      {"add", "boat"},
      {"unlock", "--passphrase-fd", "x"},
      {"unlock", "--passphrase-fd", "-1"},
      {"unlock", "--passphrase-fd"},
      {"import", "pop-pay", "f", "--mode", "bad"},
      {"policy", "set"},
      {"policy", "set", "a", "--strength", "strong"},
      {"policy", "set", "a", "--unlisted", "allow"},
      {"policy", "set", "a", "--uses-per-hour", "-1"},
      {"policy", "set", "a", "--price-drift", "10001"},
      {"policy", "set", "a", "--auto-approve-below", "5.00"},
      {"policy", "set", "a", "--auto-approve-below=5.00"},
      {"policy", "kill"},
      {"policy", "show", "a", "--explain"},
      {"purchases", "settle"},
      {"recovery"},
      {"recovery", "use", "--passphrase-fd", "0"},
      {"recovery", "create", "--new-passphrase-fd", "0"},
      {"completion", "tcsh"},
      {"status", "status", "status"},
  };
  for (const auto& row : rows) {
    const auto result = parse(row);
    ASSERT_FALSE(result) << (row.empty() ? "" : row[0]);
    EXPECT_EQ(result.error().code, Errc::usage);
    EXPECT_EQ(result.error().detail.find('\n'), std::string::npos);
  }
}

TEST(Arguments, SecretsAreRefusedAndNeverRepeated) {
  const std::vector<const char*> rows[] = {
      {"unlock", "--passphrase", "hunter2hunter2"},
      {"unlock", "--passphrase=hunter2hunter2"},
      {"add", "card", "--cvv=hunter2hunter2"},
      {"unlock", "hunter2hunter2"},
      {"unlock", "--hunter2hunter2=x"},
      {"unlock", "--passphrase-fd", "hunter2hunter2"},
      {"passphrase", "--new-passphrase=hunter2hunter2"},
      {"recovery", "use", "--words", "hunter2hunter2"},
      {"recovery", "use", "hunter2hunter2"},
      {"recovery", "hunter2hunter2"},
      {"add", "hunter2hunter2"},
  };
  for (const auto& row : rows) {
    const auto result = parse(row);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message().find("hunter2"), std::string::npos) << result.error().message();
  }
  EXPECT_NE(parse({"unlock", "--passphrase", "x"}).error().detail.find("--passphrase-fd"), std::string::npos);
}

TEST(Arguments, HelpAndVersion) {
  const auto help = parse({"--help"});
  ASSERT_TRUE(help);
  EXPECT_NE(std::get<Information>(*help).text.find("unlock"), std::string::npos);
  const auto version = parse({"--version"});
  ASSERT_TRUE(version);
  EXPECT_EQ(std::get<Information>(*version).text.rfind("popvault ", 0), 0U);
}

}  // namespace
}  // namespace popvault::cli
