#include "policy/decide.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/money.hpp"

namespace popvault::policy {
namespace {

Policy sample() {
  Policy p;
  p.merchants = {{"https://shop.example", {"https://psp.example"}}, {"https://b.example", {}}};
  p.records = {"crd_a"};
  p.currency = "USD";
  p.per_use = 5000;
  p.per_day = 20000;
  p.auto_approve_below = 500;
  p.minimum = Strength::dom;
  return p;
}

UseRequest use(std::int64_t amount) { return {"crd_a", "https://shop.example", "USD", amount, Strength::dom}; }

struct Case {
  const char* what;
  UseRequest request;
  std::int64_t spent;
  Verdict verdict;
  Errc reason;
};

TEST(Decide, Table) {
  const Case cases[] = {
      {"one cent", use(1), 0, Verdict::allow, Errc::denied},
      {"just below automatic", use(499), 0, Verdict::allow, Errc::denied},
      {"automatic is below, not at", use(500), 0, Verdict::ask, Errc::denied},
      {"at the cap of one use", use(5000), 0, Verdict::ask, Errc::denied},
      {"over it", use(5001), 0, Verdict::deny, Errc::limit_exceeded},
      {"nothing", use(0), 0, Verdict::deny, Errc::denied},
      {"negative", use(-1), 0, Verdict::deny, Errc::denied},
      {"the least amount there is", use(INT64_MIN), 0, Verdict::deny, Errc::denied},
      {"the greatest", use(INT64_MAX), 0, Verdict::deny, Errc::limit_exceeded},
      {"up to the day's cap", use(5000), 15000, Verdict::ask, Errc::denied},
      {"over the day's cap", use(5000), 15001, Verdict::deny, Errc::limit_exceeded},
      {"automatic is no way round the day's cap", use(1), 20000, Verdict::deny, Errc::limit_exceeded},
      {"a spent sum that overflowed", use(1), -1, Verdict::deny, Errc::denied},
      {"spent beyond reason", use(1), INT64_MAX, Verdict::deny, Errc::limit_exceeded},
      {"another merchant", {"crd_a", "https://evil.example", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"a port", {"crd_a", "https://shop.example:444", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"a processor is no merchant", {"crd_a", "https://psp.example", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"a prefix", {"crd_a", "https://shop.exampl", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"the second merchant", {"crd_a", "https://b.example", "USD", 1, Strength::dom}, 0, Verdict::allow, Errc::denied},
      {"another record", {"crd_b", "https://shop.example", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"no record", {"", "https://shop.example", "USD", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"another currency", {"crd_a", "https://shop.example", "EUR", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
      {"no currency", {"crd_a", "https://shop.example", "", 1, Strength::dom}, 0, Verdict::deny, Errc::denied},
  };
  const Policy policy = sample();
  for (const Case& c : cases) {
    const Decision d = decide(c.request, &policy, c.spent);
    EXPECT_EQ(d.verdict, c.verdict) << c.what;
    if (d.verdict == Verdict::deny) EXPECT_EQ(d.reason, c.reason) << c.what;
  }
}

TEST(Decide, DenyIsTheZeroValue) {
  EXPECT_EQ(decide(use(1), nullptr, 0).verdict, Verdict::deny);
  const Policy empty;
  EXPECT_EQ(decide(use(1), &empty, 0).verdict, Verdict::deny);
  EXPECT_EQ(Decision{}.verdict, Verdict::deny);
}

TEST(Decide, EveryStrengthAgainstEveryMinimum) {
  for (int minimum = 0; minimum < 4; ++minimum)
    for (int available = 0; available < 4; ++available) {
      Policy policy = sample();
      policy.minimum = static_cast<Strength>(minimum);
      UseRequest request = use(1);
      request.available = static_cast<Strength>(available);
      const Decision d = decide(request, &policy, 0);
      EXPECT_EQ(d.verdict == Verdict::allow, available >= minimum);
      if (available < minimum) EXPECT_EQ(d.reason, Errc::strength_unavailable);
    }
}

TEST(Decide, AStarIsEveryCardAndNothingElse) {
  Policy policy = sample();
  policy.records = {"*"};
  EXPECT_TRUE(policy.allows_record("crd_anything"));
  EXPECT_FALSE(policy.allows_record("lgn_anything"));
  EXPECT_FALSE(policy.allows_record("*"));
}

// No larger amount, larger spent sum or weaker browser ever turns a denial into less than one.
TEST(Decide, NoWideningTurnsDenyIntoAllow) {
  std::mt19937_64 random(20261122);
  const auto pick = [&](std::int64_t limit) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit)); };
  for (int i = 0; i < 20000; ++i) {
    Policy policy = sample();
    policy.per_use = pick(10000);
    policy.per_day = pick(30000);
    policy.auto_approve_below = pick(10000);
    policy.minimum = static_cast<Strength>(pick(4));
    UseRequest narrow = use(pick(12000));
    narrow.available = static_cast<Strength>(pick(4));
    UseRequest wide = narrow;
    wide.amount += pick(5000);
    const std::int64_t spent = pick(30000);
    const auto a = decide(narrow, &policy, spent).verdict;
    const auto b = decide(wide, &policy, spent + pick(5000)).verdict;
    if (narrow.amount > 0) EXPECT_LE(static_cast<int>(b), static_cast<int>(a));
  }
}

TEST(Money, ParsesAndFormats) {
  const auto usd = *Currency::parse("USD");
  const auto jpy = *Currency::parse("JPY");
  const auto kwd = *Currency::parse("KWD");
  EXPECT_EQ(*parse_amount("50", usd), 5000);
  EXPECT_EQ(*parse_amount("50.5", usd), 5050);
  EXPECT_EQ(*parse_amount("0.01", usd), 1);
  EXPECT_EQ(*parse_amount("50", jpy), 50);
  EXPECT_EQ(*parse_amount("1.234", kwd), 1234);
  for (const char* wrong : {"", ".", "5.", ".5", "-1", "+1", "1,000", "1e3", "0x1", "1.234", " 1", "9999999999999", "1.2.3"})
    EXPECT_FALSE(parse_amount(wrong, usd)) << wrong;
  EXPECT_FALSE(parse_amount("1.5", jpy));
  EXPECT_EQ(format_amount(5, usd), "0.05 USD");
  EXPECT_EQ(format_amount(-1234, usd), "-12.34 USD");
  EXPECT_EQ(format_amount(7, jpy), "7 JPY");
  EXPECT_EQ(format_amount(7, kwd), "0.007 KWD");
  for (const char* wrong : {"usd", "US", "USDT", "XXX", "", "U D", "SD "}) EXPECT_FALSE(Currency::parse(wrong)) << wrong;
}

}  // namespace
}  // namespace popvault::policy
