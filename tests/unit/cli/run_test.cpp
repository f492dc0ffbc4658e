// The whole program in this process, where it needs no daemon: exit statuses and the shapes of errors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/command.hpp"

namespace popvault::cli {
namespace {

struct Ran {
  int status = 0;
  std::string out, err;
};

Ran popvault(std::vector<const char*> words) {
  words.insert(words.begin(), "popvault");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.status = run(static_cast<int>(words.size()), words.data());
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

class Run : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pv-run-XXXXXX";
    home_ = mkdtemp(name);
    setenv("POPVAULT_HOME", home_.c_str(), 1);
    unsetenv("POPVAULT_RUNTIME_DIR");
  }
  void TearDown() override {
    rmdir(home_.c_str());  // fails when something was left in it
    EXPECT_NE(access(home_.c_str(), F_OK), 0);
  }
  std::string home_;
};

TEST_F(Run, UsageIsTwoAndOneLine) {
  const Ran plain = popvault({"foo"});
  EXPECT_EQ(plain.status, 2);
  EXPECT_EQ(plain.out, "");
  EXPECT_EQ(plain.err,
            "popvault: the command line is wrong: foo is not expected here (see popvault --help)\n");
  const Ran json = popvault({"foo", "--json"});
  EXPECT_EQ(json.status, 2);
  EXPECT_EQ(json.err,
            R"({"error":{"message":"the command line is wrong: foo is not expected here","reason":"usage",)"
            R"("remediation":"see popvault --help"}})"
            "\n");
}

TEST_F(Run, ADescriptorThatNobodyPassedIsUsage) {
  EXPECT_EQ(popvault({"unlock", "--passphrase-fd", "900"}).status, 2);
  EXPECT_EQ(popvault({"add", "card", "--label", "L", "--fields-fd", "900"}).status, 2);
}

TEST_F(Run, InitChecksBeforeAnythingIsStarted) {
  EXPECT_EQ(popvault({"init", "--accept-public-salt"}).status, 2);
  EXPECT_EQ(popvault({"init", "--machine", "--accept-public-salt", "--passphrase-fd", "0"}).status, 2);
}

TEST_F(Run, PassphraseAndRecoveryCheckBeforeAnythingIsStarted) {
  EXPECT_EQ(popvault({"passphrase", "--new-passphrase-fd", "900"}).status, 2);
  EXPECT_EQ(popvault({"recovery", "create", "--words-fd", "900"}).status, 2);
  EXPECT_EQ(popvault({"passphrase", "--accept-machine-key"}).status, 2);
  EXPECT_EQ(popvault({"passphrase", "--remove", "--accept-machine-key", "--new-passphrase-fd", "0"}).status,
            2);
  EXPECT_EQ(popvault({"passphrase", "--new-passphrase-fd", "0", "--passphrase-fd", "0"}).status, 2);
  EXPECT_EQ(popvault({"recovery", "use", "--words-fd", "0", "--new-passphrase-fd", "0"}).status, 2);
  const Ran remove = popvault({"passphrase", "--remove"});
  EXPECT_EQ(remove.status, 2);
  EXPECT_NE(remove.err.find("--accept-machine-key"), std::string::npos);
}

TEST_F(Run, PolicyIsCheckedBeforeAnythingIsStarted) {
  const std::vector<const char*> good = {"policy",    "set",   "a",         "--merchant", "https://a.example",
                                         "--per-use", "50.00", "--per-day", "200",        "--currency",
                                         "USD",       "--json"};
  const std::pair<std::size_t, const char*> wrong[] = {
      {4, "a.example"}, {4, "https://A.example"}, {6, "50.001"}, {6, "-1"}, {8, "1e3"}, {10, "XXX"}};
  for (const auto& change : wrong) {
    auto words = good;
    words[change.first] = change.second;
    const Ran ran = popvault(words);
    EXPECT_EQ(ran.status, 1) << change.second;
    EXPECT_NE(ran.err.find("\"reason\":\"invalid_field\""), std::string::npos) << ran.err;
  }
}

TEST_F(Run, StatusDoctorAndStopStartNothing) {
  const Ran status = popvault({"status", "--json"});
  EXPECT_EQ(status.status, 0);
  const auto json = Json::parse(status.out);
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["state"].text_or(""), "stopped");
  EXPECT_EQ((*json)["home"].text_or(""), home_);
  EXPECT_EQ(popvault({"stop"}).status, 0);
  EXPECT_NE(popvault({"doctor"}).out.find("popvaultd is not running"), std::string::npos);
}

TEST_F(Run, ImportNamesWhatIsWrong) {
  EXPECT_EQ(popvault({"import", "pop-pay", "/tmp/pv-no-such-file", "--dry-run"}).status, 4);
  const std::string vectors =
      POPVAULT_SOURCE_DIR "/tests/unit/cli/run_test.cpp";  // any file that is no vault
  const Ran other =
      popvault({"import", "pop-pay", vectors.c_str(), "--machine-id-hex", "00", "--dry-run", "--json"});
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.err.find("wrong_key"), std::string::npos) << other.err;
  EXPECT_EQ(popvault({"import", "pop-pay", vectors.c_str(), "--machine-id-hex", "0g"}).status, 1);
}

TEST_F(Run, CompletionNamesEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ran ran = popvault({"completion", shell});
    EXPECT_EQ(ran.status, 0);
    for (const char* word : {"init", "unlock", "approve", "purchases", "audit"})
      EXPECT_NE(ran.out.find(word), std::string::npos) << shell << " " << word;
  }
}

}  // namespace
}  // namespace popvault::cli
