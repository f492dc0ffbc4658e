// The book against a slow model over random steps, its windows at their edges, and rows of every form.

#include "ledger/book.hpp"
#include "support/test_clock.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

namespace popvault::ledger {
namespace {

constexpr Seconds kStart = 1'800'000'000;

class BookTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pv-book-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto store = store::Store::open(folder_ + "/state.db", clock_);
    ASSERT_TRUE(store);
    store_.emplace(std::move(*store));
    store_->unseal(SecretBytes::copy_of(Bytes(32, 7)));
    ASSERT_TRUE(book_.load(*store_));
  }
  void TearDown() override {
    store_.reset();
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((folder_ + "/state.db" + suffix).c_str());
    rmdir(folder_.c_str());
  }

  store::Row purchase(const std::string& id, const std::string& status, std::int64_t amount, const std::string& agent = "a",
                      const std::string& currency = "USD") {
    store::Row row{id, 0, {}};
    row.body.set("agent", agent);
    row.body.set("amount_minor", amount);
    row.body.set("currency", currency);
    row.body.set("expires_at", clock_.now_ + kApprovalValid);
    row.body.set("held_at", clock_.now_);
    row.body.set("record", "crd_x");
    row.body.set("requested_at", clock_.now_);
    row.body.set("status", status);
    return row;
  }
  // One transaction; whether it is to stand.
  bool run(const std::function<Status(store::Transaction&)>& act, bool stands = true) {
    auto tx = store_->begin();
    EXPECT_TRUE(tx);
    const Status done = act(*tx);
    if (!done || !stands) return false;
    EXPECT_TRUE(tx->journal(journal::Kind::purchase_requested, {}));
    EXPECT_TRUE(tx->commit());
    return true;
  }
  void begin(const store::Row& row) {
    ASSERT_TRUE(run([&](auto& tx) { return book_.begin(tx, row); }));
  }
  bool move(const std::string& id, std::string_view status) {
    store::Row row = store_->get(store::Table::purchases, id).value().value();
    return run([&](auto& tx) { return book_.move(tx, row, status); });
  }
  void put(const store::Row& row) {
    ASSERT_TRUE(run([&](auto& tx) { return tx.put(store::Table::ledger, row); }));
  }
  store::Row entry(const std::string& id, std::initializer_list<std::pair<const char*, Json>> members) {
    store::Row row{id, 0, {}};
    row.body.set("agent", "a");
    row.body.set("amount_minor", 100);
    row.body.set("at", clock_.now_);
    row.body.set("currency", "USD");
    for (const auto& [name, value] : members) row.body.set(name, value);
    return row;
  }
  policy::Spent spent(const std::string& agent = "a", const std::string& currency = "USD") const {
    return book_.spent(agent, currency, clock_.now_);
  }
  // The same from the rows alone.
  policy::Spent anew(const std::string& agent = "a", const std::string& currency = "USD") {
    Book fresh;
    EXPECT_TRUE(fresh.load(*store_));
    return fresh.spent(agent, currency, clock_.now_);
  }

  test::TestClock clock_{kStart};
  std::string folder_;
  std::optional<store::Store> store_;
  Book book_;
};

bool operator==(const policy::Spent& a, const policy::Spent& b) {
  return a.day == b.day && a.month == b.month && a.uses_hour == b.uses_hour;
}
std::string text(const policy::Spent& s) {
  return std::to_string(s.day) + " " + std::to_string(s.month) + " " + std::to_string(s.uses_hour);
}

// --- against a model that adds everything up each time

struct Model {
  struct One {
    std::string agent, currency, status;
    std::int64_t amount = 0;
    Seconds held = 0, debited = 0;
    bool debit = false, was_held = false;
  };
  std::map<std::string, One> purchases;
  struct Adjusted {
    std::string agent, currency;
    std::int64_t amount;
    Seconds at;
  };
  std::vector<Adjusted> adjusted;

  policy::Spent spent(const std::string& agent, const std::string& currency, Seconds now) const {
    policy::Spent out;
    std::int64_t held = 0;
    std::vector<std::pair<Seconds, std::int64_t>> rows;
    for (const auto& [id, one] : purchases) {
      if (one.agent != agent) continue;
      if ((holds(one.status) || one.debit) && one.held > now - 3600) ++out.uses_hour;
      if (one.currency != currency) continue;
      if (holds(one.status)) held += one.amount;
      if (one.debit) rows.push_back({one.debited, one.amount});
    }
    for (const Adjusted& one : adjusted)
      if (one.agent == agent && one.currency == currency) rows.push_back({one.at, one.amount});
    // What is taken back comes off what was spent by then, unit by unit from the newest; the rest of it is lost.
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first, a.second < 0) < std::pair(b.first, b.second < 0);
    });
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t j = i; rows[i].second < 0; --j) {
        if (j == 0) {
          rows[i].second = 0;
          break;
        }
        if (rows[j - 1].second <= 0) continue;
        const std::int64_t part = std::min(rows[j - 1].second, -rows[i].second);
        rows[j - 1].second -= part;
        rows[i].second += part;
      }
    for (const auto& [at, amount] : rows) {
      if (at > now - 86'400) out.day += amount;
      if (at > now - 2'592'000) out.month += amount;
    }
    out.day += held;
    out.month += held;
    return out;
  }
};

constexpr const char* kStates[] = {"awaiting_approval", "approved", "denied",   "canceled", "expired",        "filling",
                                   "filled",            "settled",  "released", "armed",    "outcome_unknown"};

TEST_F(BookTest, AgainstASlowModel) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);
    const auto any = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
    Model model;
    const std::string run_id = "pur_" + std::to_string(seed) + "_";
    // Agents of their own for each seed: what another left does not count.
    const std::string agents[] = {"a" + run_id, "b" + run_id};
    const std::string currencies[] = {"USD", "KWD"};
    for (int step = 0; step < 400; ++step) {
      clock_.now_ += any(3) == 0 ? any(100'000) : any(2'000);
      const bool stands = any(4) != 0;
      const int what = any(8);
      const std::string agent = agents[any(2)], currency = currencies[any(2)];
      if (what < 2) {
        const std::string id = run_id + std::to_string(step);
        const char* const status = kStates[any(3)];
        const store::Row row = purchase(id, status, any(10'000) + 1, agent, currency);
        if (run([&](auto& tx) { return book_.begin(tx, row); }, stands))
          model.purchases[id] = {agent, currency, status, row.body["amount_minor"].int_or(0), clock_.now_, 0, false, holds(status)};
      } else if (what < 7 && !model.purchases.empty()) {
        auto at = model.purchases.begin();
        std::advance(at, any(static_cast<int>(model.purchases.size())));
        const std::string to = kStates[any(std::size(kStates))];
        store::Row row = store_->get(store::Table::purchases, at->first).value().value();
        Model::One& one = at->second;
        // Each entry once: what was released is not held again.
        const bool allowed = may_become(one.status, to) && !(money_of(one.status, to) == Money::hold && one.was_held);
        const bool done = run([&](auto& tx) { return book_.move(tx, row, to); }, stands);
        ASSERT_EQ(done, allowed && stands) << one.status << " -> " << to;
        if (!done) continue;
        if (money_of(one.status, to) == Money::hold) one.held = clock_.now_, one.was_held = true;
        if (money_of(one.status, to) == Money::debit) one.debit = true, one.debited = clock_.now_;
        one.status = to;
      } else if (what == 7) {
        const std::int64_t amount = any(20'000) - 10'000;
        if (run([&](auto& tx) { return book_.adjust(tx, agent, currency, amount, "x"); }, stands))
          model.adjusted.push_back({agent, currency, amount, clock_.now_});
      }
      for (const std::string& a : agents)
        for (const std::string& c : currencies) {
          const policy::Spent wanted = model.spent(a, c, clock_.now_);
          ASSERT_EQ(text(spent(a, c)), text(wanted)) << "seed " << seed << " step " << step;
          if (step % 40 == 0) ASSERT_EQ(text(anew(a, c)), text(wanted)) << "from the rows, seed " << seed << " step " << step;
        }
    }
  }
}

TEST_F(BookTest, WhatIsUndoneLeavesTheBookAsItWas) {
  begin(purchase("pur_a", "approved", 1'000));
  const auto before = spent();
  store::Row row = store_->get(store::Table::purchases, "pur_a").value().value();
  run([&](auto& tx) -> Status {
    PV_TRY(book_.begin(tx, purchase("pur_b", "approved", 500)));
    PV_TRY(book_.move(tx, row, "filling"));
    PV_TRY(book_.move(tx, row, "filled"));
    PV_TRY(book_.adjust(tx, "a", "USD", 70, "x"));
    EXPECT_EQ(spent().day, 1'570) << "seen within";
    return {};
  }, false);
  EXPECT_TRUE(spent() == before);
  EXPECT_TRUE(anew() == before);
  EXPECT_EQ(book_.in_state("approved"), std::vector<std::string>{"pur_a"});
  EXPECT_TRUE(book_.in_state("filling").empty());
  EXPECT_TRUE(move("pur_a", "filling"));
}

// --- edges

TEST_F(BookTest, TheWindowsToTheSecond) {
  begin(purchase("pur_a", "approved", 100));
  ASSERT_TRUE(move("pur_a", "filling"));
  ASSERT_TRUE(move("pur_a", "filled"));
  const auto after = [&](Seconds seconds) {
    clock_.now_ = kStart + seconds;
    EXPECT_EQ(text(anew()), text(spent())) << seconds;
    return text(spent());
  };
  EXPECT_EQ(after(0), "100 100 1");
  EXPECT_EQ(after(3'599), "100 100 1");
  EXPECT_EQ(after(3'600), "100 100 0");
  EXPECT_EQ(after(86'399), "100 100 0");
  EXPECT_EQ(after(86'400), "0 100 0");
  EXPECT_EQ(after(2'591'999), "0 100 0");
  EXPECT_EQ(after(2'592'000), "0 0 0");
}

TEST_F(BookTest, AHoldCountsHoweverOldAndAUseForAnHour) {
  begin(purchase("pur_a", "awaiting_approval", 100));
  clock_.now_ += 3'600;
  EXPECT_EQ(text(spent()), "100 100 0");
  clock_.now_ += 400 * kDay;
  EXPECT_EQ(text(spent()), "100 100 0");
  EXPECT_EQ(text(anew()), "100 100 0");
  // A debit is of the day when the money went, its use of the day when it was held.
  ASSERT_TRUE(move("pur_a", "approved"));
  ASSERT_TRUE(move("pur_a", "filling"));
  ASSERT_TRUE(move("pur_a", "filled"));
  EXPECT_EQ(text(spent()), "100 100 0");
  EXPECT_EQ(text(anew()), "100 100 0");
  clock_.now_ += kDay;
  EXPECT_EQ(text(spent()), "0 100 0");
}

TEST_F(BookTest, WhatLiesInTheFutureCounts) {
  begin(purchase("pur_a", "approved", 100));
  ASSERT_TRUE(move("pur_a", "filling"));
  ASSERT_TRUE(move("pur_a", "filled"));
  begin(purchase("pur_b", "approved", 10));
  clock_.now_ -= 400 * kDay;
  EXPECT_EQ(text(spent()), "110 110 2");
  EXPECT_EQ(text(anew()), "110 110 2");
}

TEST_F(BookTest, ItsOwnHoldIsLeftOut) {
  begin(purchase("pur_a", "approved", 100));
  begin(purchase("pur_b", "approved", 10));
  const auto without = book_.spent("a", "USD", clock_.now_, "pur_a");
  EXPECT_EQ(text(without), "10 10 1");
  EXPECT_EQ(text(book_.spent("a", "USD", clock_.now_, "pur_none")), "110 110 2");
}

TEST_F(BookTest, OfOneAgentAndOneCurrency) {
  begin(purchase("pur_a", "approved", 100));
  begin(purchase("pur_b", "approved", 10, "b"));
  begin(purchase("pur_c", "approved", 1, "a", "EUR"));
  EXPECT_EQ(text(spent()), "100 100 2") << "uses are counted whatever the currency";
  EXPECT_EQ(text(spent("b")), "10 10 1");
  EXPECT_EQ(text(spent("a", "EUR")), "1 1 2");
  EXPECT_EQ(text(spent("", "USD")), "0 0 0");
}

TEST_F(BookTest, WhatIsTakenBackIsNoCreditForLater) {
  begin(purchase("pur_a", "approved", 100));
  const auto adjust = [&](std::int64_t amount) { ASSERT_TRUE(run([&](auto& tx) { return book_.adjust(tx, "a", "USD", amount, "x"); })); };
  adjust(-1'000);
  EXPECT_EQ(text(spent()), "100 100 1") << "what is held stays held";
  clock_.now_ += 1;
  adjust(400);
  EXPECT_EQ(text(spent()), "500 500 1") << "nothing of the thousand is left";
  clock_.now_ += 1;
  adjust(-150);
  EXPECT_EQ(text(spent()), "350 350 1");
  EXPECT_EQ(text(anew()), "350 350 1");
  // A refund leaves its window together with what it was for.
  clock_.now_ += kDay - 1;
  EXPECT_EQ(text(spent()), "100 350 0");
  clock_.now_ += 1;
  adjust(500);
  EXPECT_EQ(text(spent()), "600 850 0");
  EXPECT_EQ(text(anew()), "600 850 0");
}

TEST_F(BookTest, SumsSaturate) {
  for (int i = 0; i < 12; ++i)
    ASSERT_TRUE(run([&](auto& tx) { return book_.adjust(tx, "a", "USD", INT64_MAX / 8, "x"); }));
  begin(purchase("pur_a", "approved", INT64_MAX / 8));
  EXPECT_GE(spent().day, INT64_MAX / 4);
  EXPECT_GE(spent().month, INT64_MAX / 4);
  for (int i = 0; i < 12; ++i)
    ASSERT_TRUE(run([&](auto& tx) { return book_.adjust(tx, "b", "USD", -(INT64_MAX / 8), "x"); }));
  EXPECT_EQ(text(spent("b")), "0 0 0");
  // A row that says what no row may say is as much as there is, and not a wrap.
  put(entry("adj_most", {{"entry", "adjust"}, {"amount_minor", INT64_MAX}, {"agent", "c"}}));
  put(entry("adj_more", {{"entry", "adjust"}, {"amount_minor", INT64_MAX}, {"agent", "c"}}));
  put(entry("adj_least", {{"entry", "adjust"}, {"amount_minor", INT64_MIN}, {"agent", "d"}}));
  EXPECT_GE(anew("c").day, INT64_MAX / 4);
  EXPECT_EQ(anew("d").day, 0);
}

// --- rows

TEST_F(BookTest, EachEntryOfAPurchaseOnce) {
  begin(purchase("pur_a", "approved", 100));
  EXPECT_FALSE(run([&](auto& tx) { return book_.begin(tx, purchase("pur_a", "approved", 100)); }));
  ASSERT_TRUE(move("pur_a", "filling"));
  ASSERT_TRUE(move("pur_a", "filled"));
  std::set<std::string> ids;
  const auto rows = store_->ledger_since(0).value();
  for (const store::Row& row : rows) ids.insert(row.id + "=" + row.body["entry"].text_or(""));
  EXPECT_EQ(ids, (std::set<std::string>{"pur_a.hold=hold", "pur_a.debit=debit"}));
}

// Rows of 0.1 and 0.2: one for each purchase, under its id, with a `state`.
TEST_F(BookTest, RowsOfOlderSchemas) {
  put(entry("pur_debit", {{"state", "debit"}, {"amount_minor", 7}}));
  put(entry("pur_hold", {{"state", "hold"}, {"amount_minor", 70}}));
  put(entry("pur_released", {{"state", "released"}, {"amount_minor", 700}}));
  EXPECT_EQ(text(anew()), "7 7 1");
  // Its hold is the purchase itself.
  store::Row open = purchase("pur_hold", "approved", 70);
  open.body.erase("held_at");
  ASSERT_TRUE(run([&](auto& tx) { return tx.put(store::Table::purchases, open); }));
  EXPECT_EQ(text(anew()), "77 77 2");
  ASSERT_TRUE(book_.load(*store_));
  ASSERT_TRUE(move("pur_hold", "filling"));
  ASSERT_TRUE(move("pur_hold", "filled"));
  EXPECT_EQ(text(spent()), "77 77 2");
  EXPECT_EQ(text(anew()), "77 77 2");
  clock_.now_ += kDay;
  EXPECT_EQ(text(anew()), "0 77 0");
}

TEST_F(BookTest, ARowWithoutAnAmountCountsAsTheMost) {
  store::Row row = entry("adj_x", {{"entry", "adjust"}});
  row.body.erase("amount_minor");
  put(row);
  EXPECT_GE(anew().day, 1'000'000'000'000);
}

TEST_F(BookTest, WithoutItsRowsNothingIsSpent) {
  Book empty;
  EXPECT_FALSE(empty.whole());
  store::Row row = purchase("pur_a", "approved", 1);
  EXPECT_FALSE(run([&](auto& tx) { return empty.begin(tx, row); }));
  EXPECT_FALSE(run([&](auto& tx) { return empty.move(tx, row, "filling"); }));
  EXPECT_FALSE(run([&](auto& tx) { return empty.adjust(tx, "a", "USD", 1, "x"); }));
  EXPECT_FALSE(store_->get(store::Table::purchases, "pur_a").value());
}

TEST_F(BookTest, WhoWaitsAndWhatIsOverdue) {
  begin(purchase("pur_a", "awaiting_approval", 1));
  begin(purchase("pur_b", "approved", 1));
  begin(purchase("pur_c", "awaiting_approval", 1, "b"));
  EXPECT_EQ(book_.waiting(), 2);
  EXPECT_EQ(book_.waiting("a"), 1);
  clock_.now_ += kApprovalValid - 1;
  EXPECT_TRUE(book_.overdue(clock_.now_).empty());
  EXPECT_EQ(book_.overdue(clock_.now_ + 1).size(), 3U);
  ASSERT_TRUE(move("pur_b", "filling"));
  EXPECT_EQ(book_.overdue(clock_.now_ + 1).size(), 2U) << "a use that began is not cut off by time";
}

}  // namespace
}  // namespace popvault::ledger
