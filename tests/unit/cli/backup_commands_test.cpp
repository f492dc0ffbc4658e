// `backup create` against a scripted daemon: what it sends, and what stays on disk.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/command.hpp"
#include "support/fake_server.hpp"

namespace popvault::cli {
namespace {

using test::FakeServer;
using test::Heard;

constexpr const char* kRecipient = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

// A daemon of an unlocked vault that fills the file, or refuses to.
struct Daemon {
  Daemon(bool recovery, bool refuses)
      : server([this, recovery, refuses](const Heard& heard) -> std::optional<std::string> {
          const std::string method = heard.request["method"].text_or("");
          if (method == "owner.hello")
            return FakeServer::result(heard, Json::Object{{"home", "/tmp/pv-h"},
                                                          {"mode", "passphrase"},
                                                          {"state", "unlocked"},
                                                          {"vault", "vlt_1"}});
          if (method == "vault.status")
            return FakeServer::result(
                heard, Json::Object{
                           {"recovery", recovery ? Json(Json::Object{{"recipient", kRecipient}}) : Json()}});
          if (method == "proof.challenge") return FakeServer::result(heard, challenge(heard));
          called = method;
          params = heard.request["params"];
          if (heard.descriptors.size() == 1) fill(heard.descriptors[0].get());
          if (refuses)
            return FakeServer::error(heard, Json::Object{{"code", 1216},
                                                         {"data", Json::Object{{"reason", "disk_full"}}},
                                                         {"message", "the disk is full"}});
          return FakeServer::result(heard, Json::Object{{"counter", 3},
                                                        {"records", 2},
                                                        {"size", 6},
                                                        {"signer", std::string(64, 'a')},
                                                        {"recipients", Json::Array{kRecipient}}});
        }) {}
  static Json challenge(const Heard& heard) {
    const Json text = Json::Object{{"domain", "popvault-owner-proof-v1"},
                                   {"issued_at", 1'800'000'000},
                                   {"expires_at", 1'800'000'120},
                                   {"purpose", heard.request["params"]["purpose"]},
                                   {"request_hash", heard.request["params"]["request_hash"]},
                                   {"vault", "vlt_1"},
                                   {"nonce", std::string(64, '0')}};
    return Json::Object{{"challenge", text.dump()}};
  }
  void fill(int fd) {
    struct stat st {};
    fresh = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 && (st.st_mode & 07777) == 0600 &&
            (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
    EXPECT_EQ(write(fd, "backup", 6), 6);
    if (meanwhile) meanwhile();
  }
  std::string called;
  Json params;
  bool fresh = false;
  std::function<void()> meanwhile;
  FakeServer server;
};

class BackupCreate : public testing::Test {
 protected:
  BackupCreate() {
    char name[] = "/tmp/pv-backup-XXXXXX";
    folder_ = mkdtemp(name);
    args_.verb = Verb::backup_create;
    args_.backup.file = folder_ + "/b.age";
  }
  ~BackupCreate() override { std::filesystem::remove_all(folder_); }
  Result<Output> create(const Daemon& daemon) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(write(ends[1], "a passphrase\n", 13), 13);
    const Descriptor in(ends[0]), out(ends[1]);
    args_.passphrase_fd = in.get();
    return create_backup(Context{args_, Paths{"/tmp/pv-h", daemon.server.folder()}});
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string folder_;
  Arguments args_;
};

TEST_F(BackupCreate, TheFileHasItsNameWhenItIsWhole) {
  args_.backup.recipients = {kRecipient};
  Daemon daemon(true, false);
  daemon.meanwhile = [&] { EXPECT_FALSE(std::filesystem::exists(args_.backup.file)); };
  const auto output = create(daemon);
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(daemon.called, "backup.create");
  EXPECT_TRUE(daemon.fresh);
  EXPECT_EQ(daemon.params["recipients"], Json(Json::Array{kRecipient}));
  EXPECT_FALSE(daemon.params["proof"].is_null());
  std::ifstream in(args_.backup.file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "backup");
  EXPECT_EQ(files(), 1U);
  EXPECT_NE(output->text.find("backup 3 written"), std::string::npos);
  EXPECT_NE(output->text.find(std::string(64, 'a')), std::string::npos);
  EXPECT_EQ(output->json["file"].text_or(""), args_.backup.file);
}

TEST_F(BackupCreate, NothingStaysOfAFailure) {
  const Daemon daemon(true, true);
  const auto output = create(daemon);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::disk_full);
  EXPECT_TRUE(daemon.fresh);
  EXPECT_EQ(files(), 0U);
}

TEST_F(BackupCreate, WhatGotTheNameMeanwhileIsKept) {
  Daemon daemon(true, false);
  daemon.meanwhile = [&] { std::ofstream(args_.backup.file) << "other"; };
  EXPECT_EQ(create(daemon).error().code, Errc::already_exists);
  std::ifstream in(args_.backup.file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "other");
  EXPECT_EQ(files(), 1U);
}

TEST_F(BackupCreate, NobodyToOpenItIsRefusedBeforeThePassphrase) {
  const Daemon daemon(false, false);
  EXPECT_EQ(create(daemon).error().code, Errc::recovery_missing);
  EXPECT_EQ(daemon.called, "");
  EXPECT_EQ(files(), 0U);
}

TEST_F(BackupCreate, ARecipientIsEnough) {
  args_.backup.recipients = {kRecipient};
  const Daemon daemon(false, false);
  EXPECT_TRUE(create(daemon));
}

// Before the daemon is asked for anything.
TEST_F(BackupCreate, WrongRequestsNeedNoDaemon) {
  const Context context{args_, Paths{"/tmp/pv-none", "/tmp/pv-none/run"}};
  args_.backup.recipients = {"age1qqqq"};
  EXPECT_EQ(create_backup(context).error().code, Errc::invalid_field);
  args_.backup.recipients = std::vector<std::string>(17, kRecipient);
  EXPECT_EQ(create_backup(context).error().code, Errc::usage);
  args_.backup.recipients.clear();
  ASSERT_EQ(symlink("nowhere", args_.backup.file.c_str()), 0);
  EXPECT_EQ(create_backup(context).error().code, Errc::already_exists);
}

TEST_F(BackupCreate, RestoreAndVerifyCheckWhatTheyGet) {
  const Context context{args_, Paths{"/tmp/pv-none", "/tmp/pv-none/run"}};
  EXPECT_EQ(verify_backup(context).error().code, Errc::not_found);
  EXPECT_EQ(restore_backup(context).error().code, Errc::not_found);
  args_.backup.identity = "key";
  EXPECT_EQ(restore_backup(context).error().code, Errc::usage);
  args_.backup.signer = "abc";
  EXPECT_EQ(restore_backup(context).error().code, Errc::invalid_field);
  EXPECT_EQ(verify_backup(context).error().code, Errc::invalid_field);
  args_.words_fd = 0;
  EXPECT_EQ(verify_backup(context).error().code, Errc::usage);
  args_ = Arguments{};
  args_.backup.file = folder_;
  EXPECT_EQ(verify_backup(context).error().code, Errc::backup_invalid);
}

}  // namespace
}  // namespace popvault::cli
