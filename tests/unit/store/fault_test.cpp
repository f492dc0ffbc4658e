// Transactions of the store with a fault at each call of SQLite's own I/O, and a power cut behind each answer: all of a
// transaction is there or nothing of it.

#include <gtest/gtest.h>

#include "store/store.hpp"
#include "support/memory_vfs.hpp"

namespace popvault::store {
namespace {

using test::FaultPlan;
using test::MemoryFs;
using test::MemoryVfs;
using test::PowerCut;

constexpr const char* kPath = "/home/state.db";

Result<Store> open() {
  PV_ASSIGN(Store store, Store::open(kPath, system_clock()));
  store.unseal(SecretBytes::copy_of(Bytes(32, 1)));
  PV_TRY(store.verify_against(store.head()));
  return store;
}

// Two rows and their journal row.
Status add_pair(Store& store, const std::string& name) {
  PV_ASSIGN(auto tx, store.begin());
  for (const char* table : {"a", "b"}) {
    Row row{name + table, 0, {}};
    row.body.set("text", std::string(3000, 'x'));  // more than a page
    PV_TRY(tx.put(Table::agents, row));
  }
  PV_TRY(tx.journal(journal::Kind::agent_added, {}));
  return tx.commit();
}

MemoryFs with_one_pair() {
  MemoryFs files;
  FaultPlan none;
  MemoryVfs vfs(files, none);
  auto store = open();
  EXPECT_TRUE(store && add_pair(*store, "first"));
  return files;
}

// How many rows there are; -1 when it does not open or contradicts itself.
int rows_in(MemoryFs& files) {
  FaultPlan none;
  MemoryVfs vfs(files, none);
  auto store = open();
  if (!store || !store->verify_chain()) return -1;
  const auto rows = store->all(Table::agents);
  return rows ? static_cast<int>(rows->size()) : -1;
}

struct Sweep {
  int cases = 0, third = 0, lost = 0, undead = 0;

  void one(const MemoryFs& before, const std::function<void(FaultPlan&, std::size_t)>& arm) {
    MemoryFs files = before.after(PowerCut::nothing_lost);
    Status done;
    bool killed = false;
    std::vector<MemoryFs> later;
    {
      FaultPlan plan;
      MemoryVfs vfs(files, plan);
      auto store = open();
      ASSERT_TRUE(store);
      arm(plan, plan.calls());
      done = add_pair(*store, "second");
      killed = plan.killed();
      for (const PowerCut cut : test::kPowerCuts) later.push_back(files.after(cut));
    }
    later.push_back(std::move(files));
    for (MemoryFs& found : later) {
      ++cases;
      const int rows = rows_in(found);
      if (rows != 2 && rows != 4) ++third;
      if (done && rows != 4) ++lost;
      if (!done && !killed && &found == &later.back() && rows != 2) ++undead;
    }
  }
};

TEST(StoreFaults, ATransactionIsWholeOrNotThere) {
  const MemoryFs before = with_one_pair();
  Sweep sweep;
  sweep.one(before, [](FaultPlan&, std::size_t) {});
  std::size_t calls = 0;
  {
    MemoryFs files = before.after(PowerCut::nothing_lost);
    FaultPlan plan;
    MemoryVfs vfs(files, plan);
    auto store = open();
    const std::size_t first = plan.calls();
    ASSERT_TRUE(store && add_pair(*store, "second"));
    calls = plan.calls() - first;
  }
  ASSERT_GT(calls, 3U);
  for (std::size_t n = 1; n <= calls; ++n) {
    for (const int error : {EIO, ENOSPC}) sweep.one(before, [&](FaultPlan& p, std::size_t first) { p.fail_at(first + n, error); });
    sweep.one(before, [&](FaultPlan& p, std::size_t first) { p.shorten_at(first + n); });
    sweep.one(before, [&](FaultPlan& p, std::size_t first) { p.kill_at(first + n); });
  }
  std::printf("%zu calls, %d cases\n", calls, sweep.cases);
  EXPECT_EQ(sweep.third, 0);
  EXPECT_EQ(sweep.lost, 0);
  EXPECT_EQ(sweep.undead, 0);
}

// A new state.db is made whole or counts as none.
TEST(StoreFaults, MakingItIsWholeOrNotThere) {
  std::size_t calls = 0;
  {
    MemoryFs files;
    FaultPlan plan;
    MemoryVfs vfs(files, plan);
    ASSERT_TRUE(open());
    calls = plan.calls();
  }
  for (std::size_t n = 1; n <= calls; ++n) {
    for (const bool kill : {false, true}) {
      MemoryFs files;
      std::vector<MemoryFs> later;
      {
        FaultPlan plan;
        kill ? plan.kill_at(n) : plan.fail_at(n, EIO);
        MemoryVfs vfs(files, plan);
        (void)open();
        for (const PowerCut cut : test::kPowerCuts) later.push_back(files.after(cut));
      }
      later.push_back(std::move(files));
      for (MemoryFs& found : later) EXPECT_EQ(rows_in(found), 0) << "call " << n;
    }
  }
}

// Controls: a database that is not synced loses what it promised, and the power cut shows it.
TEST(StoreFaults, ControlSynchronousOff) {
  for (const bool careful : {true, false}) {
    MemoryFs files;
    MemoryFs later;
    FaultPlan none;
    {
      MemoryVfs vfs(files, none);
      sqlite3* db = nullptr;
      ASSERT_EQ(sqlite3_open(kPath, &db), SQLITE_OK);
      const std::string setup = std::string("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=") +
                                (careful ? "FULL" : "OFF") + "; CREATE TABLE t (x); INSERT INTO t VALUES (1)";
      ASSERT_EQ(sqlite3_exec(db, setup.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
      files.sync_names("/home");
      later = files.after(PowerCut::everything_unsynced_lost);
      sqlite3_close(db);
    }
    MemoryVfs vfs(later, none);
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(kPath, &db), SQLITE_OK);
    const bool there = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; SELECT x FROM t", nullptr, nullptr, nullptr) == SQLITE_OK;
    EXPECT_EQ(there, careful);
    sqlite3_close(db);
  }
}

}  // namespace
}  // namespace popvault::store
