#include "gate/policies.hpp"

#include <gtest/gtest.h>

#include "base/money.hpp"
#include "policy/explain.hpp"

namespace popvault::gate {
namespace {

policy::Policy full() {
  policy::Policy p;
  p.merchants = {{"https://a.example", {"https://p.example", "https://q.example"}, {"acct_1", "pk_live=2"}, "#total > b"},
                 {"https://b.example", {}}};
  p.records = {"crd_a", "*"};
  p.currency = "KWD";
  p.per_use = 1;
  p.per_day = 2;
  p.per_month = kMaxMinor;
  p.uses_per_hour = 3;
  p.ask_above = 4;
  p.minimum = policy::Strength::sealed;
  p.unlisted = policy::Unlisted::ask;
  p.drift_bp = 250;
  p.expires_at = 2'000'000'000;
  p.killed = true;
  return p;
}

TEST(Policies, EveryMemberGoesThereAndBack) {
  for (const policy::Policy& one : {full(), policy::Policy{}}) {
    const Json json = policy_to_json(one);
    EXPECT_EQ(json.object()->size(), 13U);
    const auto back = policy_from(json);
    ASSERT_TRUE(back);
    EXPECT_TRUE(policy::differences(&one, *back).empty());
    EXPECT_EQ(policy_to_json(*back), json);
  }
}

// What has neither is written as before they were known.
TEST(Policies, AccountsAndSelectorOnlyWhereThereAreAny) {
  const Json merchants = policy_to_json(full())["merchants"];
  EXPECT_EQ(merchants.array()->at(0).object()->size(), 4U);
  EXPECT_EQ(merchants.array()->at(1), Json(Json::Object{{"origin", "https://b.example"}, {"processors", Json::Array{}}}));
}

// A row of 0.2.0 allows what it allowed.
TEST(Policies, ARowOf020) {
  const auto row = Json::parse(
      R"({"auto_approve_below_minor":500,"currency":"USD","merchants":[{"origin":"https://a.example","processors":[]}],)"
      R"("per_day_minor":20000,"per_use_minor":5000,"records":["*"],"strength":"dom"})");
  const auto policy = policy_from(*row);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->ask_above, 499);
  EXPECT_EQ(policy->per_month, 600000);
  EXPECT_EQ(policy->uses_per_hour, 60);
  EXPECT_EQ(policy->unlisted, policy::Unlisted::deny);
  EXPECT_EQ(policy->expires_at, 0);
  EXPECT_FALSE(policy->killed);
  EXPECT_EQ(policy->minimum, policy::Strength::dom);
  const policy::UseRequest below{"crd_a", "https://a.example", "USD", 499, policy::Strength::dom};
  policy::UseRequest at = below;
  at.amount = 500;
  EXPECT_EQ(policy::decide(below, &*policy, {}, 0).verdict, policy::Verdict::allow);
  EXPECT_EQ(policy::decide(at, &*policy, {}, 0).verdict, policy::Verdict::ask);
}

TEST(Policies, NoPolicyAtAll) {
  for (const char* wrong : {"{}", "null", "[]", R"({"merchants":[],"records":[]})", R"({"merchants":{},"records":[],"strength":"dom"})",
                            R"({"merchants":[],"records":[1],"strength":"dom"})", R"({"merchants":[{"origin":"x"}],"records":[],"strength":"dom"})",
                            R"({"merchants":[],"records":[],"strength":"strong"})"})
    EXPECT_EQ(policy_from(*Json::parse(wrong)).error().code, Errc::state_corrupt) << wrong;
}

TEST(Policies, AMonthIsThirtyDaysAndNeverTooMuch) {
  EXPECT_EQ(default_month(0), 0);
  EXPECT_EQ(default_month(100), 3000);
  EXPECT_EQ(default_month(kMaxMinor / 30 + 1), kMaxMinor);
  EXPECT_EQ(default_month(INT64_MAX), kMaxMinor);
}

TEST(Policies, ChangesAsJson) {
  policy::Policy before = full(), after = full();
  after.expires_at = 0;
  after.per_day = 7;
  after.minimum = policy::Strength::wire;
  after.merchants.pop_back();
  EXPECT_EQ(to_json(policy::differences(&before, after)).dump(),
            R"([{"from":true,"to":false,"what":"merchant https://b.example","widens":false},)"
            R"({"from":"sealed","to":"wire","what":"strength","widens":false},)"
            R"({"from":2000000000,"to":null,"what":"expires_at","widens":true},)"
            R"({"from":2,"to":7,"what":"per_day_minor","widens":true}])");
}

// One line of plain words for every rule.
TEST(Policies, Explained) {
  policy::Policy p;
  p.merchants = {{"https://a.example", {}}};
  p.records = {"crd_a"};
  p.currency = "USD";
  p.per_use = 5000;
  p.per_day = 20000;
  p.per_month = 100000;
  p.uses_per_hour = 10;
  p.ask_above = 500;
  p.minimum = policy::Strength::dom;
  const policy::UseRequest request{"crd_a", "https://a.example", "USD", 4000, policy::Strength::dom};
  const auto text = [](const policy::UseRequest& r, const policy::Policy* q, const policy::Spent& spent) {
    return policy::explain(policy::decide(r, q, spent, 100), r, q, spent);
  };
  EXPECT_EQ(text(request, &p, {}), "you are asked: 40.00 USD is above 5.00 USD, from where on you are asked");
  EXPECT_EQ(text(request, &p, {18000, 18000, 1}),
            "denied: 40.00 USD more would be over 200.00 USD in 24 hours: 180.00 USD are spent or held");
  EXPECT_EQ(text(request, &p, {0, 98000, 1}),
            "denied: 40.00 USD more would be over 1000.00 USD in 30 days: 980.00 USD are spent or held");
  EXPECT_EQ(text(request, &p, {0, 0, 10}), "denied: 10 uses in the last hour, and the policy allows 10");
  EXPECT_EQ(text(request, nullptr, {}), "denied: the agent has no policy, so it may do nothing");
  policy::UseRequest small = request;
  small.amount = 500;
  EXPECT_EQ(text(small, &p, {}), "allowed without asking: 5.00 USD at https://a.example is within the policy");
  policy::UseRequest large = request;
  large.amount = 5001;
  EXPECT_EQ(text(large, &p, {}), "denied: 50.01 USD is over 50.00 USD for one use");
  p.minimum = policy::Strength::wire;
  EXPECT_EQ(text(small, &p, {}), "denied: the policy asks for wire, and the browser can give dom");
  p.expires_at = 100;
  EXPECT_EQ(text(small, &p, {}), "denied: the policy has expired");
  p.killed = true;
  EXPECT_EQ(text(small, &p, {}), "denied: the policy's kill switch is on");
}

}  // namespace
}  // namespace popvault::gate
