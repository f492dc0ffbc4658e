// Checkpoints, personal payloads and their retention on a real folder, with a clock of our own.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "session/checkpoints.hpp"
#include "session/personal.hpp"
#include "unit/session_case.hpp"

namespace popvault {
namespace {

namespace files = std::filesystem;
using journal::Kind;
constexpr Seconds kDay = 24 * 3600;

class JournalTest : public test::SessionCase {
 protected:
  store::Store& store() { return session_->store(); }
  std::size_t checkpoints() { return store().journal_of(Kind::checkpoint, 0).value().size(); }
  std::uint64_t uncovered() { return store().head().seq - store().last_checkpoint().seq; }
  journal::Audit audit() { return store().verify_chain(journal_signer(*session_)).value(); }

  store::Row add_agent(const std::string& id) {
    store::Row row{id, 0, {}};
    row.body.set("name", "x");
    row.body.set("status", "active");
    session_->begin_subject(id);
    auto tx = session_->begin().value();
    EXPECT_TRUE(tx.put(store::Table::agents, row));
    EXPECT_TRUE(tx.journal(Kind::agent_added, {}));
    EXPECT_TRUE(session_->commit(tx));
    return store().get(store::Table::agents, id).value().value();
  }
  void add_purchase(const std::string& id, const std::string& agent, const std::string& status) {
    store::Row row{id, 0, {}};
    for (const char* name : {"executable", "merchant", "request_hash", "text"}) row.body.set(name, "private");
    row.body.set("agent", agent);
    row.body.set("requested_at", clock_.now());
    row.body.set("status", status);
    auto tx = session_->begin().value();
    EXPECT_TRUE(tx.put(store::Table::purchases, row));
    EXPECT_TRUE(tx.journal(Kind::purchase_requested, {}));
    EXPECT_TRUE(session_->commit(tx));
  }
  Json purchase(const std::string& id) { return store().get(store::Table::purchases, id).value().value().body; }
  // A row about an agent, as it is shown later.
  void note(const std::string& agent) {
    Json body;
    body.set("agent", agent);
    set_personal(*session_, body, agent, Json::Object{{"executable", "/usr/bin/private"}});
    ASSERT_TRUE(session_->note(Kind::agent_executable, std::move(body)));
  }
  std::vector<std::string> shown() {
    PersonalReader reader(*session_);
    std::vector<std::string> out;
    const auto rows = store().journal_of(Kind::agent_executable, 0).value();
    for (const journal::Row& row : rows) {
      EXPECT_EQ(row.body.find("private"), row.body.npos) << "in plain";
      const Json body = reader.shown(Json::parse(row.body).value());
      out.push_back(body["executable"].text_or(body[kPersonal].text_or("nothing")));
    }
    return out;
  }
  void keep_days(std::int64_t days) {
    store::Row row = store().get(store::Table::settings, kRetentionRow).value().value_or(store::Row{std::string(kRetentionRow), 0, {}});
    row.body.set("value", days);
    auto tx = session_->begin().value();
    EXPECT_TRUE(tx.put(store::Table::settings, row));
    EXPECT_TRUE(tx.journal(Kind::config_set, {}));
    EXPECT_TRUE(session_->commit(tx));
  }

};

using Texts = std::vector<std::string>;

TEST_F(JournalTest, ACheckpointAtEachLock) {
  EXPECT_EQ(uncovered(), 1U) << "unlocked";
  session_->lock();
  EXPECT_EQ(uncovered(), 0U);
  const std::size_t before = checkpoints();
  reopen();
  EXPECT_EQ(checkpoints(), before) << "none at an unlock that has nothing to cover";
  EXPECT_EQ(audit().covered(), store().last_checkpoint().seq);
}

TEST_F(JournalTest, WhatIsWrittenWhileLockedIsCoveredAtTheUnlock) {
  session_->lock();
  ASSERT_TRUE(session_->note(Kind::unlock_failed, {}));
  EXPECT_EQ(uncovered(), 1U);
  const std::uint64_t row = store().head().seq;
  ASSERT_TRUE(session_->unlock(key()));
  EXPECT_GT(store().last_checkpoint().seq, row);
  EXPECT_EQ(uncovered(), 0U);
}

TEST_F(JournalTest, ACheckpointAfter256RowsAndAfterADay) {
  ASSERT_TRUE(keep_checkpoints(*session_));
  const std::size_t before = checkpoints();
  while (uncovered() < kCheckpointRows - 1) ASSERT_TRUE(session_->note(Kind::agent_rejected, {}));
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before) << "255 rows";
  ASSERT_TRUE(session_->note(Kind::agent_rejected, {}));
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before + 1);
  EXPECT_EQ(uncovered(), 0U);
  clock_.pass(2 * kDay);
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before + 1) << "a day without rows";
  ASSERT_TRUE(session_->note(Kind::agent_rejected, {}));
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before + 2);
  ASSERT_TRUE(session_->note(Kind::agent_rejected, {}));
  clock_.pass(kDay - 1);
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before + 2) << "one second early";
  clock_.pass(1);
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), before + 3);
  EXPECT_EQ(session_->keys().journal().sequence, store().head().seq) << "mirrored";
  EXPECT_EQ(audit().checkpoints, checkpoints());
}

TEST_F(JournalTest, AClockThatWasSetBackMakesOne) {
  ASSERT_TRUE(keep_checkpoints(*session_));
  session_->lock();
  clock_.pass(-3 * kDay);
  ASSERT_TRUE(session_->unlock(key()));
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(uncovered(), 0U);
  const std::size_t now = checkpoints();
  ASSERT_TRUE(session_->note(Kind::agent_rejected, {}));
  ASSERT_TRUE(keep_checkpoints(*session_));
  EXPECT_EQ(checkpoints(), now) << "once";
}

TEST_F(JournalTest, APersonalPayloadIsReadableWhileThereIsItsKey) {
  const store::Row agent = add_agent("agt_one");
  add_agent("agt_two");
  note("agt_one");
  note("agt_two");
  note("agt_nobody");
  EXPECT_EQ(shown(), (Texts{"/usr/bin/private", "/usr/bin/private", "nothing"}));
  session_->lock();
  EXPECT_EQ(shown(), (Texts{"locked", "locked", "nothing"}));
  reopen();
  EXPECT_EQ(shown(), (Texts{"/usr/bin/private", "/usr/bin/private", "nothing"}));
  ASSERT_TRUE(purge_subject(*session_, agent));
  EXPECT_EQ(shown(), (Texts{"purged", "/usr/bin/private", "nothing"}));
  note("agt_one");
  EXPECT_EQ(shown().back(), "/usr/bin/private") << "it goes on with new keys";
  reopen();
  EXPECT_EQ(shown(), (Texts{"purged", "/usr/bin/private", "nothing", "/usr/bin/private"}));
  EXPECT_EQ(audit().head, store().head());
}

TEST_F(JournalTest, ARevokedAgentGetsNoNewKey) {
  store::Row agent = add_agent("agt_one");
  agent.body.set("status", "revoked");
  auto tx = session_->begin().value();
  ASSERT_TRUE(tx.put(store::Table::agents, agent));
  ASSERT_TRUE(tx.journal(Kind::agent_revoked, {}));
  ASSERT_TRUE(session_->commit(tx));
  ASSERT_TRUE(purge_subject(*session_, agent));
  EXPECT_FALSE(session_->keys().has_subject("agt_one"));
  reopen();
  EXPECT_FALSE(session_->keys().has_subject("agt_one"));
}

TEST_F(JournalTest, PurgingEmptiesWhatIsOverAndRefusesWhatIsNot) {
  const store::Row agent = add_agent("agt_one");
  for (int i = 0; i < 205; ++i) add_purchase("pur_" + std::to_string(i), "agt_one", "denied");
  add_purchase("pur_other", "agt_two", "denied");
  add_purchase("pur_open", "agt_one", "approved");
  EXPECT_EQ(purge_subject(*session_, agent).error().code, Errc::wrong_status);
  EXPECT_EQ(purchase("pur_0")["text"].text_or(""), "private") << "nothing was done";
  store::Row open = store().get(store::Table::purchases, "pur_open").value().value();
  open.body.set("status", "canceled");
  auto tx = session_->begin().value();
  ASSERT_TRUE(tx.put(store::Table::purchases, open));
  ASSERT_TRUE(tx.journal(Kind::purchase_canceled, {}));
  ASSERT_TRUE(session_->commit(tx));
  const auto purged = purge_subject(*session_, agent);
  ASSERT_TRUE(purged) << purged.error().message();
  EXPECT_EQ(*purged, 206);
  for (const char* id : {"pur_0", "pur_204", "pur_open"}) {
    EXPECT_EQ(purchase(id).dump().find("private"), std::string::npos);
    EXPECT_EQ(purchase(id)["agent"].text_or(""), "agt_one");
  }
  EXPECT_EQ(purchase("pur_other")["text"].text_or(""), "private");
  EXPECT_EQ(purge_subject(*session_, agent).value(), 0) << "again";
  reopen();
}

TEST_F(JournalTest, RetentionEndsWholeWeeksAndNothingElse) {
  add_agent("agt_one");
  note("agt_one");
  add_purchase("pur_old", "agt_one", "filled");
  add_purchase("pur_open", "agt_one", "outcome_unknown");
  clock_.pass(40 * kDay);
  note("agt_one");
  add_purchase("pur_new", "agt_one", "filled");
  ASSERT_TRUE(keep_retention(*session_));
  EXPECT_EQ(shown(), (Texts{"/usr/bin/private", "/usr/bin/private"})) << "for ever by default";
  const journal::Head before = store().head();
  keep_days(365);
  ASSERT_TRUE(keep_retention(*session_));
  EXPECT_EQ(store().head().seq, before.seq + 1) << "nothing is old enough";
  keep_days(30);
  ASSERT_TRUE(keep_retention(*session_));
  EXPECT_EQ(shown(), (Texts{"purged", "/usr/bin/private"}));
  EXPECT_EQ(purchase("pur_old")["merchant"], Json());
  EXPECT_EQ(purchase("pur_open")["merchant"].text_or(""), "private") << "the owner still has to settle it";
  EXPECT_EQ(purchase("pur_new")["merchant"].text_or(""), "private");
  const std::uint64_t done = store().head().seq;
  ASSERT_TRUE(keep_retention(*session_));
  EXPECT_EQ(store().head().seq, done) << "nothing more to do";
  reopen();
  EXPECT_EQ(shown(), (Texts{"purged", "/usr/bin/private"}));
  // A week is kept until all of it is old: 30 days and at most 7 more.
  clock_.pass(30 * kDay);
  ASSERT_TRUE(keep_retention(*session_));
  clock_.pass(8 * kDay);
  ASSERT_TRUE(keep_retention(*session_));
  EXPECT_EQ(shown(), (Texts{"purged", "purged"}));
  note("agt_one");
  EXPECT_EQ(shown().back(), "/usr/bin/private");
  EXPECT_EQ(audit().head, store().head());
}

TEST_F(JournalTest, AForgedCheckpointKeepsTheVaultShut) {
  session_->lock();
  const auto forged = journal::sign_checkpoint(SecretBytes::copy_of(Bytes(32, 3)), session_->vault_id(), store().head(), clock_.now());
  auto tx = store().begin().value();
  ASSERT_TRUE(tx.journal(Kind::checkpoint, journal::to_json(forged), clock_.now()));
  ASSERT_TRUE(tx.commit());
  EXPECT_EQ(session_->unlock(key()).error().code, Errc::checkpoint_invalid);
  open();
  EXPECT_EQ(session_->unlock(key()).error().code, Errc::checkpoint_invalid);
}

}  // namespace
}  // namespace popvault
