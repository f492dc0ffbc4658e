#include "policy/difference.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace popvault::policy {
namespace {

Policy shopper() {
  Policy p;
  p.merchants = {{"https://a.example", {"https://p.example"}, {"acct_1"}, ".total"}, {"https://b.example", {}}};
  p.records = {"crd_a"};
  p.currency = "USD";
  p.per_use = 5000;
  p.per_day = 20000;
  p.per_month = 100000;
  p.uses_per_hour = 10;
  p.ask_above = 500;
  p.minimum = Strength::sealed;
  p.drift_bp = 100;
  p.expires_at = 2'000'000'000;
  return p;
}

struct Row {
  const char* what;
  std::function<void(Policy&)> edit;
  bool widens;
};

const Row kRows[] = {
    {"per_use_minor", [](Policy& p) { p.per_use += 1; }, true},
    {"per_use_minor", [](Policy& p) { p.per_use -= 1; }, false},
    {"per_day_minor", [](Policy& p) { p.per_day += 1; }, true},
    {"per_day_minor", [](Policy& p) { p.per_day -= 1; }, false},
    {"per_month_minor", [](Policy& p) { p.per_month += 1; }, true},
    {"per_month_minor", [](Policy& p) { p.per_month -= 1; }, false},
    {"uses_per_hour", [](Policy& p) { p.uses_per_hour += 1; }, true},
    {"uses_per_hour", [](Policy& p) { p.uses_per_hour -= 1; }, false},
    {"ask_above_minor", [](Policy& p) { p.ask_above += 1; }, true},
    {"ask_above_minor", [](Policy& p) { p.ask_above -= 1; }, false},
    {"drift_bp", [](Policy& p) { p.drift_bp += 1; }, true},
    {"drift_bp", [](Policy& p) { p.drift_bp -= 1; }, false},
    {"strength", [](Policy& p) { p.minimum = Strength::wire_attached; }, true},
    {"strength", [](Policy& p) { p.minimum = Strength::wire; }, false},
    {"unlisted", [](Policy& p) { p.unlisted = Unlisted::ask; }, true},
    {"expires_at", [](Policy& p) { p.expires_at += 1; }, true},
    {"expires_at", [](Policy& p) { p.expires_at = 0; }, true},
    {"expires_at", [](Policy& p) { p.expires_at -= 1; }, false},
    {"killed", [](Policy& p) { p.killed = true; }, false},
    {"currency", [](Policy& p) { p.currency = "EUR"; }, true},
    {"record crd_b", [](Policy& p) { p.records.emplace_back("crd_b"); }, true},
    {"record *", [](Policy& p) { p.records.emplace_back("*"); }, true},
    {"record crd_a", [](Policy& p) { p.records.clear(); }, false},
    {"merchant https://c.example", [](Policy& p) { p.merchants.push_back({"https://c.example", {}}); }, true},
    {"merchant https://b.example", [](Policy& p) { p.merchants.pop_back(); }, false},
    {"processor https://q.example at https://b.example", [](Policy& p) { p.merchants[1].processors.emplace_back("https://q.example"); }, true},
    {"processor https://p.example at https://a.example", [](Policy& p) { p.merchants[0].processors.clear(); }, false},
    {"account acct_2 at https://a.example", [](Policy& p) { p.merchants[0].accounts.emplace_back("acct_2"); }, true},
    {"account acct_1 at https://a.example", [](Policy& p) { p.merchants[0].accounts.clear(); }, false},
    {"price_selector at https://a.example", [](Policy& p) { p.merchants[0].price_selector = "#price"; }, true},
    {"price_selector at https://a.example", [](Policy& p) { p.merchants[0].price_selector.clear(); }, true},
    {"price_selector at https://b.example", [](Policy& p) { p.merchants[1].price_selector = "#price"; }, true},
};

TEST(Difference, EachMemberAlone) {
  for (const Row& row : kRows) {
    const Policy before = shopper();
    Policy after = before;
    row.edit(after);
    const auto changes = differences(&before, after);
    ASSERT_EQ(changes.size(), 1U) << row.what;
    EXPECT_EQ(changes[0].what, row.what);
    EXPECT_EQ(changes[0].widens, row.widens) << row.what;
    // Backwards it is the other way round, but for a currency and a selector, which widen either way.
    const auto back = differences(&after, before);
    ASSERT_EQ(back.size(), 1U) << row.what;
    const std::string_view what = row.what;
    EXPECT_EQ(back[0].widens, what == "currency" || what.starts_with("price_selector") || !row.widens) << row.what;
    EXPECT_EQ(back[0].from, changes[0].to);
    EXPECT_EQ(back[0].to, changes[0].from);
  }
}

TEST(Difference, NothingChanges) {
  const Policy policy = shopper();
  EXPECT_TRUE(differences(&policy, policy).empty());
  Policy turned = policy;
  std::swap(turned.merchants[0], turned.merchants[1]);
  EXPECT_TRUE(differences(&policy, turned).empty());
}

TEST(Difference, AStarCoversEveryCard) {
  Policy before = shopper();
  before.records = {"*"};
  Policy after = shopper();
  EXPECT_EQ(first_widening(differences(&before, after)), nullptr);
  after.records = {"lgn_a"};
  EXPECT_EQ(first_widening(differences(&before, after))->what, "record lgn_a");
  EXPECT_EQ(first_widening(differences(&after, before))->what, "record *");
}

TEST(Difference, WithoutAPolicyEverythingWidens) {
  const auto changes = differences(nullptr, shopper());
  ASSERT_NE(first_widening(changes), nullptr);
  EXPECT_EQ(first_widening(changes)->what, "merchant https://a.example");
  // A kill switch does not make the rest harmless: turned off later, it would stand.
  Policy killed = shopper();
  killed.killed = true;
  EXPECT_NE(first_widening(differences(nullptr, killed)), nullptr);
  Policy nothing;
  nothing.currency = "USD";
  EXPECT_EQ(first_widening(differences(nullptr, nothing)), nullptr);
  nothing.per_day = 1;
  EXPECT_EQ(first_widening(differences(nullptr, nothing))->what, "per_day_minor");
}

// --- no widening, no more -----------------------------------------------------------------------------------------

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t limit) { return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(limit)); }

  Policy policy() {
    Policy p;
    for (const char* origin : {"https://a.example", "https://b.example"})
      if (below(4) != 0) p.merchants.push_back({origin, {}});
    for (const char* id : {"crd_a", "crd_b", "*"})
      if (below(2) == 0) p.records.emplace_back(id);
    p.currency = below(8) == 0 ? "EUR" : "USD";
    p.per_use = below(30);
    p.per_day = below(50);
    p.per_month = below(90);
    p.uses_per_hour = below(6);
    p.ask_above = below(30);
    p.minimum = static_cast<Strength>(below(3));
    p.unlisted = below(2) == 0 ? Unlisted::ask : Unlisted::deny;
    p.expires_at = below(2) == 0 ? 0 : below(200);
    p.killed = below(8) == 0;
    return p;
  }

  // Any few members changed, up or down.
  void edit(Policy& p) {
    const Policy other = policy();
    for (std::int64_t n = 1 + below(3); n > 0; --n) switch (below(11)) {
        case 0: p.merchants = other.merchants; break;
        case 1: p.records = other.records; break;
        case 2: p.per_use = other.per_use; break;
        case 3: p.per_day = other.per_day; break;
        case 4: p.per_month = other.per_month; break;
        case 5: p.uses_per_hour = other.uses_per_hour; break;
        case 6: p.ask_above = other.ask_above; break;
        case 7: p.minimum = other.minimum; break;
        case 8: p.unlisted = other.unlisted; break;
        case 9: p.expires_at = other.expires_at; break;
        default: p.killed = other.killed; break;
      }
  }

  UseRequest request() {
    const char* origins[] = {"https://a.example", "https://b.example", "https://c.example"};
    const char* records[] = {"crd_a", "crd_b", "crd_c"};
    return {records[below(3)], origins[below(3)], "USD", 1 + below(20), below(2) == 0 ? Strength::wire : static_cast<Strength>(below(4))};
  }
  Spent spent() { return {below(30), below(60), below(4)}; }

 private:
  std::mt19937_64 engine_;
};

using Compare = std::function<std::vector<Change>(const Policy*, const Policy&)>;

struct Count {
  int quiet = 0;     // pairs in which nothing widens
  int allowed = 0;   // answers of the old policy that were not deny
  int breaches = 0;  // answers of the new one that were more
};

Count compare(const Compare& differ) {
  Random random(20261122);
  Count count;
  for (int i = 0; i < 40000; ++i) {
    const Policy before = random.policy();
    Policy after = before;
    random.edit(after);
    if (first_widening(differ(&before, after)) != nullptr) continue;
    ++count.quiet;
    for (int j = 0; j < 12; ++j) {
      const UseRequest request = random.request();
      const Spent spent = random.spent();
      const std::int64_t now = random.below(200);
      const Verdict old = decide(request, &before, spent, now).verdict;
      count.allowed += old != Verdict::deny;
      count.breaches += decide(request, &after, spent, now).verdict > old;
    }
  }
  return count;
}

TEST(Difference, IfNothingWidensNothingMoreIsAllowed) {
  const Count count = compare(differences);
  EXPECT_EQ(count.breaches, 0);
  EXPECT_GT(count.quiet, 5000);
  EXPECT_GT(count.allowed, 3000);
}

// Negative control: a comparison that forgets one member is found, whichever that is.
TEST(Difference, AForgottenMemberIsFound) {
  for (const char* forgotten : {"merchant", "record", "per_use_minor", "per_day_minor", "per_month_minor", "uses_per_hour",
                                "ask_above_minor", "strength", "unlisted", "expires_at", "killed"}) {
    const Count count = compare([&](const Policy* before, const Policy& after) {
      auto changes = differences(before, after);
      std::erase_if(changes, [&](const Change& change) { return change.what.starts_with(forgotten); });
      return changes;
    });
    EXPECT_GT(count.breaches, 0) << forgotten;
  }
}

}  // namespace
}  // namespace popvault::policy
