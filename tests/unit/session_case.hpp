// A vault in a folder of its own, unlocked, with a clock that stands.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "session/session.hpp"
#include "support/test_clock.hpp"

namespace popvault::test {

class SessionCase : public ::testing::Test {
 protected:
  static SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }

  void SetUp() override {
    umask(077);
    std::string name = (std::filesystem::temp_directory_path() / "pv-session-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    home_ = name;
    open();
    ASSERT_TRUE(session_->init(VaultMode::passphrase, key()));
    ASSERT_TRUE(session_->unlock(key()));
  }
  void TearDown() override {
    session_.reset();
    std::filesystem::remove_all(home_);
  }
  void open() {
    session_.reset();
    auto opened = Session::open(home_, real_fs(), clock_);
    ASSERT_TRUE(opened) << opened.error().message();
    session_ = std::move(*opened);
  }
  void reopen() {
    open();
    const Status unlocked = session_->unlock(key());
    ASSERT_TRUE(unlocked) << unlocked.error().message();
  }

  std::string home_;
  TestClock clock_;
  std::unique_ptr<Session> session_;
};

}  // namespace popvault::test
