#include "store/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>

namespace popvault::store {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pv-store-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/state.db";
  }
  void TearDown() override {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((path_ + suffix).c_str());
    rmdir(folder_.c_str());
  }
  Store open() {
    auto store = Store::open(path_, system_clock());
    EXPECT_TRUE(store);
    store->unseal(SecretBytes::copy_of(as_bytes("0123456789abcdef0123456789abcdef")));
    return std::move(*store);
  }
  static Status add(Store& store, const std::string& id, const std::string& name, std::int64_t version = 0) {
    PV_ASSIGN(auto tx, store.begin());
    Row row{id, version, {}};
    row.body.set("name", name);
    PV_TRY(tx.put(Table::agents, row));
    PV_TRY(tx.journal(journal::Kind::agent_added, {}));
    return tx.commit();
  }
  // What somebody with the file and no key does.
  void edit(const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  std::string folder_, path_;
};

TEST_F(StoreTest, PutGetReopen) {
  journal::Head head;
  {
    Store store = open();
    ASSERT_TRUE(add(store, "agt_1", "one"));
    head = store.head();
  }
  Store store = open();
  EXPECT_EQ(store.head(), head);
  const auto row = store.get(Table::agents, "agt_1");
  ASSERT_TRUE(row && *row);
  EXPECT_EQ((*row)->body["name"].text_or(""), "one");
  EXPECT_TRUE(store.verify_against(head));
  EXPECT_FALSE(*store.get(Table::agents, "agt_2"));
}

TEST_F(StoreTest, AnUncommittedTransactionLeavesNothing) {
  Store store = open();
  {
    auto tx = store.begin();
    Row row{"agt_1", 0, {}};
    ASSERT_TRUE(tx->put(Table::agents, row));
    ASSERT_TRUE(tx->journal(journal::Kind::agent_added, {}));
  }
  EXPECT_EQ(store.head().seq, 0U);
  EXPECT_FALSE(*store.exists(Table::agents, "agt_a"));
  EXPECT_TRUE(add(store, "agt_1", "one"));
}

TEST_F(StoreTest, AChangeNeedsItsJournalRow) {
  Store store = open();
  auto tx = store.begin();
  ASSERT_TRUE(tx->put(Table::agents, {"agt_1", 0, {}}));
  EXPECT_EQ(tx->commit().error().code, Errc::internal);
}

TEST_F(StoreTest, AnotherVersionIsBusy) {
  Store store = open();
  ASSERT_TRUE(add(store, "agt_1", "one"));
  ASSERT_TRUE(add(store, "agt_1", "two", 1));
  EXPECT_EQ(add(store, "agt_1", "three", 1).error().code, Errc::busy);
}

TEST_F(StoreTest, LockedReadsAndWritesNothingSealed) {
  Store store = open();
  ASSERT_TRUE(add(store, "agt_1", "one"));
  store.seal();
  EXPECT_EQ(store.get(Table::agents, "agt_1").error().code, Errc::locked);
  EXPECT_EQ(add(store, "agt_2", "two").error().code, Errc::locked);
  EXPECT_TRUE(store.verify_chain());
}

TEST_F(StoreTest, TamperingIsFound) {
  struct Harm {
    const char* sql;
    Errc reason;
  };
  const Harm harms[] = {
      {"UPDATE agents SET body='{\"name\":\"evil\"}' WHERE id='agt_1'", Errc::state_corrupt},
      {"UPDATE agents SET version=9 WHERE id='agt_1'", Errc::state_corrupt},
      {"UPDATE agents SET mac=x'00' WHERE id='agt_1'", Errc::state_corrupt},
      {"UPDATE agents SET mac=(SELECT mac FROM agents WHERE id='agt_2') WHERE id='agt_1'", Errc::state_corrupt},
      {"UPDATE agents SET id='agt_9' WHERE id='agt_1'", Errc::state_corrupt},
      {"DELETE FROM agents WHERE id='agt_1'", Errc::state_corrupt},
      {"INSERT INTO policies SELECT * FROM agents", Errc::state_corrupt},
  };
  for (const Harm& harm : harms) {
    TearDown();
    SetUp();
    journal::Head head;
    {
      Store store = open();
      ASSERT_TRUE(add(store, "agt_1", "one"));
      ASSERT_TRUE(add(store, "agt_2", "two"));
      head = store.head();
      ASSERT_TRUE(store.verify_against(head)) << "the control";
    }
    edit(harm.sql);
    Store store = open();
    const Status verified = store.verify_against(head);
    ASSERT_FALSE(verified) << harm.sql;
    EXPECT_EQ(verified.error().code, harm.reason) << harm.sql;
  }
}

TEST_F(StoreTest, TheMirrorFindsARollbackAndALostMirror) {
  journal::Head first, second, third;
  Store store = open();
  ASSERT_TRUE(add(store, "agt_1", "one"));
  first = store.head();
  ASSERT_TRUE(add(store, "agt_2", "two"));
  second = store.head();
  EXPECT_TRUE(store.verify_against(first)) << "one behind is normal";
  ASSERT_TRUE(add(store, "agt_3", "three"));
  third = store.head();
  EXPECT_TRUE(store.verify_against(third));
  EXPECT_EQ(store.verify_against(first).error().code, Errc::state_rolled_back) << "two behind is not";
  journal::Head ahead = third;
  ++ahead.seq;
  EXPECT_EQ(store.verify_against(ahead).error().code, Errc::state_rolled_back);
  journal::Head other = second;
  other.hash.bytes[0] ^= 1;
  EXPECT_EQ(store.verify_against(other).error().code, Errc::state_rolled_back);
}

TEST_F(StoreTest, TheTablesThemselvesAreChecked) {
  { Store store = open(); }
  edit("CREATE TRIGGER evil AFTER INSERT ON journal BEGIN DELETE FROM narrowings; END");
  EXPECT_EQ(Store::open(path_, system_clock()).error().code, Errc::state_corrupt);
}

TEST_F(StoreTest, ANewerSchemaIsRefused) {
  { Store store = open(); }
  edit("PRAGMA user_version=99; UPDATE meta SET value='7.1.0' WHERE key='needs'");
  const auto refused = Store::open(path_, system_clock());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::newer_version);
  EXPECT_EQ(refused.error().detail, "state.db has schema 99 and needs popvault 7.1.0");
  edit("UPDATE meta SET value='<script>' WHERE key='needs'");
  EXPECT_EQ(Store::open(path_, system_clock()).error().detail, "state.db has schema 99");
}

TEST_F(StoreTest, TheJournalIsAppendOnly) {
  {
    Store store = open();
    ASSERT_TRUE(add(store, "agt_1", "one"));
  }
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  EXPECT_NE(sqlite3_exec(db, "UPDATE journal SET at=0", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_NE(sqlite3_exec(db, "DELETE FROM journal", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace
}  // namespace popvault::store
