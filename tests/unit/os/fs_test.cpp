#include "os/fs.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "os/atomic_file.hpp"
#include "support/fault_sweep.hpp"

namespace popvault {
namespace {

namespace stdfs = std::filesystem;

class FsTest : public testing::Test {
 protected:
  FsTest() {
    char name[] = "/tmp/popvault-fs-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~FsTest() override { stdfs::remove_all(dir_); }
  std::string path(const char* name) const { return dir_ + '/' + name; }
  std::string make(const char* name, std::string_view text, mode_t mode = 0600) const {
    std::ofstream(path(name), std::ios::binary) << text;
    chmod(path(name).c_str(), mode);
    return path(name);
  }
  std::string dir_;
};

std::string text_of(const Result<Bytes>& bytes) {
  return bytes ? std::string(as_text(*bytes)) : std::string(info(bytes.error().code).word);
}

TEST_F(FsTest, ReadsAFileOfOurs) {
  EXPECT_EQ(text_of(read_owned(real_fs(), make("a", "hello"), 5)), "hello");
  EXPECT_EQ(text_of(read_owned(real_fs(), make("empty", ""), 5)), "");
  const std::string big(100'000, 'x');
  EXPECT_EQ(text_of(read_owned(real_fs(), make("big", big), big.size())), big);
}

TEST_F(FsTest, RefusesWhatIsNotOurs) {
  EXPECT_EQ(text_of(read_owned(real_fs(), path("absent"), 9)), "not_found");
  EXPECT_EQ(text_of(read_owned(real_fs(), make("long", "1234567890"), 9)), "vault_corrupt");
  EXPECT_EQ(text_of(read_owned(real_fs(), make("open", "x", 0640), 9)), "insecure_file");
  EXPECT_EQ(text_of(read_owned(real_fs(), make("others", "x", 0604), 9)), "insecure_file");
  ASSERT_EQ(symlink(make("target", "x").c_str(), path("link").c_str()), 0);
  EXPECT_EQ(text_of(read_owned(real_fs(), path("link"), 9)), "insecure_file");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(text_of(read_owned(real_fs(), path("fifo"), 9)), "insecure_file") << "and it did not hang";
  ASSERT_EQ(mkdir(path("dir").c_str(), 0700), 0);
  EXPECT_EQ(text_of(read_owned(real_fs(), path("dir"), 9)), "insecure_file");
}

TEST_F(FsTest, RefusesAForeignOwner) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  make("theirs", "x");
  ASSERT_EQ(chown(path("theirs").c_str(), 12345, 0), 0);
  EXPECT_EQ(text_of(read_owned(real_fs(), path("theirs"), 9)), "insecure_file");
}

TEST_F(FsTest, ErrorsNameTheLastComponentOnly) {
  const auto result = read_owned(real_fs(), make("secret-name", "x", 0644), 9);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().detail, "secret-name is open to group or others");
}

TEST_F(FsTest, PrivateDirectories) {
  EXPECT_TRUE(ensure_private_dir(real_fs(), path("d")));
  struct stat st {};
  ASSERT_EQ(lstat(path("d").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0700U);
  EXPECT_TRUE(ensure_private_dir(real_fs(), path("d"))) << "a second time";
  chmod(path("d").c_str(), 0750);
  EXPECT_EQ(ensure_private_dir(real_fs(), path("d")).error().code, Errc::insecure_file);
  ASSERT_EQ(symlink("/tmp", path("l").c_str()), 0);
  EXPECT_EQ(ensure_private_dir(real_fs(), path("l")).error().code, Errc::insecure_file);
  EXPECT_EQ(ensure_private_dir(real_fs(), make("f", "")).error().code, Errc::insecure_file);
  EXPECT_EQ(ensure_private_dir(real_fs(), path("no/parent")).error().code, Errc::io_error);
}

TEST_F(FsTest, WriteAtomicReplacesAndLeavesNothing) {
  ASSERT_TRUE(write_atomic(real_fs(), path("f"), as_bytes("one")));
  ASSERT_TRUE(write_atomic(real_fs(), path("f"), as_bytes("two")));
  EXPECT_EQ(text_of(read_owned(real_fs(), path("f"), 9)), "two");
  EXPECT_EQ(list_dir(real_fs(), dir_)->size(), 1U);
}

TEST_F(FsTest, WriteAtomicDoesNotFollowALink) {
  ASSERT_EQ(symlink(make("target", "old").c_str(), path("f").c_str()), 0);
  ASSERT_TRUE(write_atomic(real_fs(), path("f"), as_bytes("new")));
  EXPECT_EQ(text_of(read_owned(real_fs(), path("target"), 9)), "old");
  EXPECT_EQ(text_of(read_owned(real_fs(), path("f"), 9)), "new");
}

TEST_F(FsTest, ARefusedReadBackKeepsTheOldFile) {
  ASSERT_TRUE(write_atomic(real_fs(), path("f"), as_bytes("old")));
  std::string seen;
  const Status status = write_atomic(real_fs(), path("f"), as_bytes("new"), [&](ByteView back) -> Status {
    seen = as_text(back);
    return fail(Errc::wrong_key);
  });
  EXPECT_EQ(status.error().code, Errc::wrong_key);
  EXPECT_EQ(seen, "new");
  EXPECT_EQ(text_of(read_owned(real_fs(), path("f"), 9)), "old");
  EXPECT_EQ(list_dir(real_fs(), dir_)->size(), 1U);
}

TEST_F(FsTest, AFullDiskIsDiskFull) {
  test::FaultyFs faulty(real_fs());
  faulty.fail_at(2, ENOSPC);
  EXPECT_EQ(write_atomic(faulty, path("f"), as_bytes("new")).error().code, Errc::disk_full);
  EXPECT_TRUE(list_dir(real_fs(), dir_)->empty());
}

TEST_F(FsTest, StaleTemporariesAreWipedAndNothingElse) {
  make(".vault.enc.tmp-00ff", "x");
  make(".vault_mode", "x");
  make("a.tmp-b", "x");
  EXPECT_EQ(wipe_stale_temporaries(real_fs(), dir_).value(), 1U);
  EXPECT_EQ(list_dir(real_fs(), dir_)->size(), 2U);
  EXPECT_EQ(wipe_stale_temporaries(real_fs(), path("absent")).value(), 0U);
}

TEST_F(FsTest, RemoveFile) {
  make("f", "x");
  EXPECT_TRUE(remove_file(real_fs(), path("f")));
  EXPECT_TRUE(remove_file(real_fs(), path("f"))) << "absent is no error";
}

TEST_F(FsTest, EveryFailingCallOnTheRealSystemLeavesOldOrNew) {
  for (std::size_t n = 1;; ++n) {
    ASSERT_TRUE(write_atomic(real_fs(), path("f"), as_bytes("old")));
    test::FaultyFs faulty(real_fs());
    faulty.fail_at(n, EIO);
    const Status status = write_atomic(faulty, path("f"), as_bytes("new"));
    if (faulty.calls() < n) break;
    const std::string now = text_of(read_owned(real_fs(), path("f"), 9));
    EXPECT_TRUE(now == "new" || (now == "old" && !status)) << n << ' ' << now;
    (void)wipe_stale_temporaries(real_fs(), dir_);
    EXPECT_EQ(list_dir(real_fs(), dir_)->size(), 1U) << n;
  }
}

// The sweep over every call, with kills and power cuts, and its negative controls.

constexpr const char* kFile = "/home/f";

void old_state(Fs& fs) { ASSERT_TRUE(write_atomic(fs, kFile, as_bytes("old content"))); }

test::Content look(Fs& fs) {
  const std::string now = text_of(read_owned(fs, kFile, 100));
  if (now == "old content") return test::Content::old_one;
  return now == "new content!" ? test::Content::new_one : test::Content::other;
}

TEST(FaultSweep, WriteAtomicGivesOldOrNew) {
  const auto write = [](Fs& fs) { return write_atomic(fs, kFile, as_bytes("new content!")); };
  const test::SweepReport report = test::FaultSweep(old_state, write, look, 1).run();
  EXPECT_GT(report.cases, 300U);
  EXPECT_EQ(report.third_states, 0U);
  EXPECT_EQ(report.lost_successes, 0U);
  EXPECT_EQ(report.wrong_failures, 0U);
  EXPECT_EQ(report.leftovers, 0U);
}

Status write_new(Fs& fs, const char* path, bool sync) {
  const int fd = fs.open(path, OpenFor::creating);
  if (fd < 0) return fail(Errc::io_error);
  const bool ok = fs.write(fd, as_bytes("new content!")) == 12 && (!sync || fs.sync(fd) == 0);
  (void)fs.close(fd);
  return ok ? Status{} : fail(Errc::io_error);
}

TEST(FaultSweep, CatchesAWriterInPlace) {
  const auto write = [](Fs& fs) -> Status {
    if (fs.unlink(kFile) != 0) return fail(Errc::io_error);
    PV_TRY(write_new(fs, kFile, true));
    return sync_dir(fs, "/home");
  };
  EXPECT_GT(test::FaultSweep(old_state, write, look, 1).run().third_states, 0U);
}

TEST(FaultSweep, CatchesAWriterThatDoesNotSyncTheFile) {
  const auto write = [](Fs& fs) -> Status {
    PV_TRY(write_new(fs, "/home/.f.tmp-1", false));
    if (fs.rename("/home/.f.tmp-1", kFile) != 0) return fail(Errc::io_error);
    return sync_dir(fs, "/home");
  };
  EXPECT_GT(test::FaultSweep(old_state, write, look, 1).run().third_states, 0U);
}

TEST(FaultSweep, CatchesAWriterThatDoesNotSyncTheDirectory) {
  const auto write = [](Fs& fs) -> Status {
    PV_TRY(write_new(fs, "/home/.f.tmp-1", true));
    return fs.rename("/home/.f.tmp-1", kFile) == 0 ? Status{} : fail(Errc::io_error);
  };
  EXPECT_GT(test::FaultSweep(old_state, write, look, 1).run().lost_successes, 0U);
}

TEST(FaultSweep, CatchesAWriterThatLeavesFiles) {
  const auto write = [](Fs& fs) -> Status {
    PV_TRY(write_new(fs, "/home/f.new", true));
    if (fs.rename("/home/f.new", kFile) != 0) return fail(Errc::io_error);
    return sync_dir(fs, "/home");
  };
  EXPECT_GT(test::FaultSweep(old_state, write, look, 1).run().leftovers, 0U);
}

}  // namespace
}  // namespace popvault
