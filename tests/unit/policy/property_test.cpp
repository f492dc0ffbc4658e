// What must hold for any policy and any request, on a few hundred thousand random ones (seeded: the same each run).
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <random>

#include "policy/decide.hpp"

namespace popvault::policy {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr int kRounds = 50000;

using Decide = std::function<Decision(const UseRequest&, const Policy*, const Spent&, std::int64_t)>;

struct Situation {
  Policy policy;
  UseRequest request;
  Spent spent;
  std::int64_t now = 0;
};

// Small numbers, so that every edge is met often.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t limit) { return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(limit)); }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  Strength strength() { return static_cast<Strength>(below(4)); }

  Situation situation() {
    Situation out;
    Policy& p = out.policy;
    for (const char* origin : {"https://a.example", "https://b.example", "https://c.example"})
      if (!one_in(4)) p.merchants.push_back({origin, {}});
    for (const char* id : {"crd_a", "crd_b"})
      if (!one_in(4)) p.records.emplace_back(id);
    if (one_in(4)) p.records.emplace_back("*");
    p.currency = one_in(12) ? "EUR" : "USD";
    p.per_use = below(60);
    p.per_day = below(100);
    p.per_month = below(150);
    p.uses_per_hour = below(6);
    p.ask_above = below(30);
    p.minimum = strength();
    p.unlisted = one_in(2) ? Unlisted::ask : Unlisted::deny;
    p.expires_at = one_in(2) ? 0 : 1 + below(200);
    p.killed = one_in(12);
    const char* origins[] = {"https://a.example", "https://b.example", "https://d.example"};
    const char* records[] = {"crd_a", "crd_b", "crd_c"};
    out.request = {records[below(3)], origins[below(3)], "USD", 1 + below(30), one_in(2) ? Strength::wire : strength()};
    out.spent = {below(40), below(60), below(5)};
    out.now = below(100);
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

// One step that asks for more, or that leaves less.
void widen_request(Random& random, Situation& s) {
  switch (random.below(9)) {
    case 0: s.request.amount += 1 + random.below(30); return;
    case 1: s.spent.day += 1 + random.below(30); return;
    case 2: s.spent.month += 1 + random.below(30); return;
    case 3: s.spent.uses_hour += 1 + random.below(5); return;
    case 4: s.now += 1 + random.below(50); return;
    case 5: s.request.available = static_cast<Strength>(random.below(static_cast<std::int64_t>(s.request.available) + 1)); return;
    case 6: s.request.record = "idn_outside"; return;
    case 7: s.request.merchant = "https://outside.example"; return;
    default: s.request.currency = "JPY"; return;
  }
}

template <typename T>
void drop_one(Random& random, std::vector<T>& from) {
  if (!from.empty()) from.erase(from.begin() + random.below(static_cast<std::int64_t>(from.size())));
}

void lower(Random& random, std::int64_t& limit) { limit = random.below(limit + 1); }

// One step that gives less.
void narrow_policy(Random& random, Policy& p) {
  switch (random.below(11)) {
    case 0: drop_one(random, p.merchants); return;
    case 1: drop_one(random, p.records); return;
    case 2: lower(random, p.per_use); return;
    case 3: lower(random, p.per_day); return;
    case 4: lower(random, p.per_month); return;
    case 5: lower(random, p.uses_per_hour); return;
    case 6: lower(random, p.ask_above); return;
    case 7: p.minimum = static_cast<Strength>(static_cast<std::int64_t>(p.minimum) + random.below(4 - static_cast<std::int64_t>(p.minimum))); return;
    case 8: p.unlisted = Unlisted::deny; return;
    case 9: p.expires_at = p.expires_at == 0 ? 1 + random.below(100) : 1 + random.below(p.expires_at); return;
    default: p.killed = true; return;
  }
}

struct Count {
  int breaches = 0;
  int permitted = 0;  // how often the first answer was not deny: without those the test would show nothing
};

Count widened_requests(const Decide& decider, std::uint64_t seed) {
  Random random(seed);
  Count count;
  for (int i = 0; i < kRounds; ++i) {
    Situation s = random.situation();
    const Verdict before = decider(s.request, &s.policy, s.spent, s.now).verdict;
    count.permitted += before != Verdict::deny;
    for (std::int64_t steps = 1 + random.below(3); steps > 0; --steps) widen_request(random, s);
    count.breaches += decider(s.request, &s.policy, s.spent, s.now).verdict > before;
  }
  return count;
}

Count narrowed_policies(const Decide& decider, std::uint64_t seed) {
  Random random(seed);
  Count count;
  for (int i = 0; i < kRounds; ++i) {
    Situation s = random.situation();
    const Verdict before = decider(s.request, &s.policy, s.spent, s.now).verdict;
    count.permitted += before != Verdict::deny;
    for (std::int64_t steps = 1 + random.below(3); steps > 0; --steps) narrow_policy(random, s.policy);
    count.breaches += decider(s.request, &s.policy, s.spent, s.now).verdict > before;
  }
  return count;
}

TEST(DecideProperty, NoWideningOfARequestIsAnsweredWithMore) {
  const Count count = widened_requests(decide, 20261122);
  EXPECT_EQ(count.breaches, 0);
  EXPECT_GT(count.permitted, kRounds / 50);
}

TEST(DecideProperty, NoNarrowingOfAPolicyIsAnsweredWithMore) {
  const Count count = narrowed_policies(decide, 20261123);
  EXPECT_EQ(count.breaches, 0);
  EXPECT_GT(count.permitted, kRounds / 50);
}

// Negative control: decisions that are wrong in one place each, all of which both or one of the checks must find.
Decision small_amounts_skip_the_day(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) {
  const Decision real = decide(request, policy, spent, now);
  if (real.rule == Rule::per_day && request.amount <= policy->ask_above) return {Verdict::allow, Errc::denied, Rule::within};
  return real;
}

Decision an_hour_that_wraps(const UseRequest& request, const Policy* policy, Spent spent, std::int64_t now) {
  spent.uses_hour %= 4;
  return decide(request, policy, spent, now);
}

Decision unlisted_before_the_limits(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) {
  const Decision real = decide(request, policy, spent, now);
  if (real.reason == Errc::limit_exceeded && policy->find(request.merchant) == nullptr)
    return {Verdict::ask, Errc::denied, Rule::unlisted_merchant};
  return real;
}

Decision an_empty_list_is_everything(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) {
  if (!policy->merchants.empty()) return decide(request, policy, spent, now);
  Policy open = *policy;
  open.merchants.push_back({request.merchant, {}});
  return decide(request, &open, spent, now);
}

Decision an_expiry_that_is_a_flag(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) {
  Policy other = *policy;
  if (other.expires_at < 3) other.expires_at = 0;
  return decide(request, &other, spent, now);
}

TEST(DecideProperty, WrongDecisionsAreFound) {
  EXPECT_GT(widened_requests(small_amounts_skip_the_day, 1).breaches + narrowed_policies(small_amounts_skip_the_day, 1).breaches, 0);
  EXPECT_GT(widened_requests(an_hour_that_wraps, 1).breaches, 0);
  EXPECT_GT(widened_requests(unlisted_before_the_limits, 1).breaches, 0);
  EXPECT_GT(narrowed_policies(an_empty_list_is_everything, 1).breaches, 0);
  EXPECT_GT(narrowed_policies(an_expiry_that_is_a_flag, 1).breaches, 0);
}

// Every member at every extreme: no overflow (the sanitizer build sees it), and nothing but deny for a request
// that no limit of the policy covers.
TEST(DecideProperty, ExtremesDoNotOverflow) {
  constexpr std::int64_t kEdges[] = {kLeast, kLeast + 1, -1, 0, 1, 2, kMost - 1, kMost};
  const auto edge = [&](Random& random) { return kEdges[random.below(std::size(kEdges))]; };
  Random random(7);
  int allowed = 0;
  for (int i = 0; i < kRounds; ++i) {
    Situation s = random.situation();
    s.policy.killed = false;
    s.policy.per_use = edge(random);
    s.policy.per_day = edge(random);
    s.policy.per_month = edge(random);
    s.policy.uses_per_hour = edge(random);
    s.policy.ask_above = edge(random);
    s.policy.expires_at = edge(random);
    s.request.amount = edge(random);
    s.spent = {edge(random), edge(random), edge(random)};
    s.now = edge(random);
    if (decide(s.request, &s.policy, s.spent, s.now).verdict == Verdict::deny) continue;
    ++allowed;
    EXPECT_GT(s.request.amount, 0);
    EXPECT_GE(s.spent.day, 0);
    EXPECT_LE(s.request.amount, s.policy.per_use);
    EXPECT_LE(s.request.amount, s.policy.per_day);
    EXPECT_LE(s.spent.day, s.policy.per_day - s.request.amount);
    EXPECT_LE(s.request.amount, s.policy.per_month);
    EXPECT_LE(s.spent.month, s.policy.per_month - s.request.amount);
    EXPECT_LT(s.spent.uses_hour, s.policy.uses_per_hour);
  }
  EXPECT_GT(allowed, 0);
}

}  // namespace
}  // namespace popvault::policy
