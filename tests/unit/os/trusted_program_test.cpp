#include "os/trusted_program.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace popvault {
namespace {

class TrustedProgram : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pv-trusted-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string make(const std::string& name, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n";
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  Errc refusal(const std::string& path) {
    const auto opened = open_trusted_program(path);
    return opened ? Errc::internal : opened.error().code;
  }
  std::string folder_;
};

TEST_F(TrustedProgram, OursAndRoots) {
  EXPECT_TRUE(open_trusted_program(make("ours", 0755)));
  EXPECT_TRUE(open_trusted_program("/usr/bin/env"));
}

TEST_F(TrustedProgram, OfOthersOrWritable) {
  EXPECT_EQ(refusal(make("group", 0770)), Errc::insecure_file);
  EXPECT_EQ(refusal(make("all", 0702)), Errc::insecure_file);
  EXPECT_EQ(refusal(make("plain", 0600)), Errc::insecure_file);
  const std::string other = make("other", 0755);
  if (geteuid() == 0) {
    EXPECT_EQ(chown(other.c_str(), 12345, 12345), 0);
    EXPECT_EQ(refusal(other), Errc::insecure_file);
  }
}

TEST_F(TrustedProgram, LinksAndFolders) {
  const std::string program = make("program", 0755);
  ASSERT_EQ(symlink(program.c_str(), (folder_ + "/link").c_str()), 0);
  EXPECT_EQ(refusal(folder_ + "/link"), Errc::insecure_file);
  ASSERT_EQ(symlink(folder_.c_str(), (folder_ + "/again").c_str()), 0);
  EXPECT_EQ(refusal(folder_ + "/again/program"), Errc::insecure_file);
  EXPECT_EQ(refusal(folder_), Errc::insecure_file);
  EXPECT_EQ(refusal(folder_ + "/absent"), Errc::not_found);
  ASSERT_EQ(mkfifo((folder_ + "/fifo").c_str(), 0700), 0);
  EXPECT_EQ(refusal(folder_ + "/fifo"), Errc::insecure_file);
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(refusal(program), Errc::insecure_file);
  ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
  EXPECT_TRUE(open_trusted_program(program));
}

TEST_F(TrustedProgram, AFolderOfOurs) {
  const auto folder = [&](const std::string& path) {
    const auto opened = open_own_folder(path);
    return opened ? Errc::internal : opened.error().code;
  };
  const std::string inner = folder_ + "/inner";
  ASSERT_EQ(mkdir(inner.c_str(), 0700), 0);
  EXPECT_TRUE(open_own_folder(inner));
  for (const mode_t mode : {0720, 0702, 01777}) {
    ASSERT_EQ(chmod(inner.c_str(), mode), 0);
    EXPECT_EQ(folder(inner), Errc::insecure_file);
  }
  ASSERT_EQ(chmod(inner.c_str(), 0755), 0);
  EXPECT_TRUE(open_own_folder(inner));
  EXPECT_EQ(folder(make("file", 0700)), Errc::insecure_file);
  EXPECT_EQ(folder(folder_ + "/absent"), Errc::not_found);
  EXPECT_EQ(folder("inner"), Errc::insecure_file);
  ASSERT_EQ(symlink(inner.c_str(), (folder_ + "/link").c_str()), 0);
  EXPECT_EQ(folder(folder_ + "/link"), Errc::insecure_file);
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(folder(inner), Errc::insecure_file);
  ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
  if (geteuid() == 0) {
    EXPECT_EQ(chown(inner.c_str(), 12345, 12345), 0);
    EXPECT_EQ(folder(inner), Errc::insecure_file);
  }
}

TEST(PlainAbsolutePath, Rows) {
  for (const char* good : {"/a", "/usr/bin/env", "/a/.b/..c"}) EXPECT_TRUE(plain_absolute_path(good)) << good;
  for (const char* bad : {"", "/", "a", "./a", "/a/", "//a", "/a//b", "/a/../b", "/a/.", "/..", "/a\n", "/\xc3\xb6", "/a\x7f"})
    EXPECT_FALSE(plain_absolute_path(bad)) << bad;
  EXPECT_FALSE(plain_absolute_path("/" + std::string(1024, 'a')));
}

}  // namespace
}  // namespace popvault
