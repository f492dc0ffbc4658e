// authenticate() on a real folder, with a clock of our own.

#include "gate/agents.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "crypto/digest.hpp"
#include "support/test_clock.hpp"

namespace popvault::gate {
namespace {

namespace files = std::filesystem;
constexpr Seconds kDay = 24 * 3600;
constexpr uid_t kUser = 1000;

SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }

class AgentsTest : public testing::Test {
 protected:
  void SetUp() override {
    umask(077);
    std::string name = (files::temp_directory_path() / "pv-agents-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    home_ = name;
    session_ = std::move(*Session::open(home_, real_fs(), clock_));
    ASSERT_TRUE(session_->init(VaultMode::passphrase, key()));
    ASSERT_TRUE(session_->unlock(key()));
    caller_.identity.uid = kUser;
    caller_.agent = "agt_a";
    caller_.agent_key = crypto::sha256(as_bytes("pak_a")).hex();
    store::Row row{"agt_a", 0, {}};
    row.body.set("expires_at", clock_.now_ + 90 * kDay);
    row.body.set("key_sha256", caller_.agent_key);
    row.body.set("name", "a");
    row.body.set("status", "active");
    put(row);
  }
  void TearDown() override {
    session_.reset();
    files::remove_all(home_);
  }

  store::Row row() { return *session_->store().get(store::Table::agents, "agt_a").value(); }
  void put(const store::Row& row) {
    auto tx = session_->begin();
    ASSERT_TRUE(tx->put(store::Table::agents, row));
    ASSERT_TRUE(tx->journal(journal::Kind::agent_added, {}));
    ASSERT_TRUE(session_->commit(*tx));
  }
  void set(std::string_view member, Json value) {
    store::Row changed = row();
    changed.body.set(member, std::move(value));
    put(changed);
  }
  // usage stands for "good".
  Errc ask() {
    const auto agent = authenticate(*session_, caller_);
    return agent ? Errc::usage : agent.error().code;
  }

  test::TestClock clock_;
  std::string home_;
  std::unique_ptr<Session> session_;
  Caller caller_;
};

TEST_F(AgentsTest, TheKeyIsLookedAtAgainEachTime) {
  EXPECT_EQ(ask(), Errc::usage);
  set("key_sha256", std::string(64, 'a'));
  EXPECT_EQ(ask(), Errc::unauthenticated) << "rotated";
  set("key_sha256", caller_.agent_key);
  EXPECT_EQ(ask(), Errc::usage);
  set("status", "revoked");
  EXPECT_EQ(ask(), Errc::unauthenticated);
  caller_.agent = "agt_b";
  set("status", "active");
  EXPECT_EQ(ask(), Errc::unauthenticated) << "another agent's key";
  caller_.agent.clear();
  EXPECT_EQ(ask(), Errc::unauthenticated) << "no hello";
}

TEST_F(AgentsTest, ExpiresToTheSecond) {
  clock_.now_ += 90 * kDay - 1;
  EXPECT_EQ(ask(), Errc::usage);
  clock_.now_ += 1;
  EXPECT_EQ(ask(), Errc::unauthenticated);
  EXPECT_EQ(status_of(*session_, row()), "expired");
}

TEST_F(AgentsTest, ToldInItsLastTenDays) {
  const Seconds end = row().body["expires_at"].int_or(0);
  EXPECT_FALSE(expires_soon(row(), end - 10 * kDay));
  EXPECT_TRUE(expires_soon(row(), end - 10 * kDay + 1));
  EXPECT_TRUE(expires_soon(row(), end - 1));
  EXPECT_FALSE(expires_soon(row(), end)) << "over";
}

TEST_F(AgentsTest, AKeyTiedToAUser) {
  set("uid", static_cast<std::int64_t>(kUser));
  EXPECT_EQ(ask(), Errc::usage);
  for (const uid_t other : {uid_t{0}, kUser + 1, static_cast<uid_t>(-1)}) {
    caller_.identity.uid = other;
    EXPECT_EQ(ask(), Errc::unauthenticated) << other;
  }
}

TEST_F(AgentsTest, SuspendedIsToldOnlyToTheRightOne) {
  set("status", "suspended");
  EXPECT_EQ(ask(), Errc::agent_suspended);
  set("uid", 0);
  EXPECT_EQ(ask(), Errc::unauthenticated);
}

TEST_F(AgentsTest, NarrowedWhileLocked) {
  session_->lock();
  ASSERT_TRUE(session_->narrow("suspend", "agt_a"));
  ASSERT_TRUE(session_->unlock(key()));
  EXPECT_EQ(row().body["status"].text_or(""), "suspended");
  EXPECT_EQ(ask(), Errc::agent_suspended);
  set("status", "active");
  EXPECT_EQ(ask(), Errc::usage) << "what was folded does not come back";
  session_->lock();
  ASSERT_TRUE(session_->narrow("suspend", "agt_a"));
  ASSERT_TRUE(session_->narrow("revoke", "agt_a"));
  ASSERT_TRUE(session_->unlock(key()));
  EXPECT_EQ(row().body["status"].text_or(""), "revoked") << "the stronger one stays";
}

TEST_F(AgentsTest, ANarrowingThatIsNotSealedCounts) {
  ASSERT_TRUE(session_->narrow("suspend", "agt_a"));
  EXPECT_EQ(ask(), Errc::agent_suspended);
  ASSERT_TRUE(session_->narrow("revoke", "agt_a"));
  EXPECT_EQ(ask(), Errc::unauthenticated);
}

}  // namespace
}  // namespace popvault::gate
