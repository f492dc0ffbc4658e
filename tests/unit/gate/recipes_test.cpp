// Recipes as rows of a real session: which are in force, for whom, and what agents are kept out of.

#include "gate/recipes.hpp"

#include "gate/policies.hpp"
#include "unit/session_case.hpp"

namespace popvault::gate {
namespace {

using Strings = std::vector<std::string>;

std::string recipe(const std::string& name, int version, const std::string& host) {
  return R"({"name":")" + name + R"(","version":)" + std::to_string(version) +
         R"(,"title":"T","source":"none","date":"2026-01-31","mode":"wire","documents":["https://js.)" + host +
         R"("],"frames":["filled",{"relation":"child","urls":["https://frame.)" + host +
         R"(/**"]}],"challenges":["https://bank.)" + host + R"(/**"],"requests":[{"origins":["https://api.)" +
         host + R"("],"method":"POST","path":"/v1","body":"form","places":{"number":"number","cvc":"cvc"},"accounts":[{"member":"key"}]}]})";
}

class Recipes : public test::SessionCase {
 protected:
  KeptRecipe add(const std::string& name, int version, const std::string& host) {
    const auto added = add_recipe(*session_, recipe(name, version, host), "", true);
    EXPECT_TRUE(added) << added.error().message();
    return added ? *added : KeptRecipe{};
  }
  Strings found(std::string_view merchant, const Strings& processors = {}) {
    const auto all = recipes_for(*session_, merchant, processors);
    Strings out;
    EXPECT_TRUE(all) << all.error().message();
    if (all)
      for (const ActiveRecipe& one : *all) out.push_back(one.name + " " + std::to_string(one.version));
    return out;
  }
  Strings kept() {
    Strings out;
    const auto all = kept_recipes(*session_);
    EXPECT_TRUE(all);
    for (const KeptRecipe& one : *all) out.push_back(one.name + " " + std::to_string(one.version) + (one.pinned ? " pinned" : ""));
    return out;
  }
  Strings processors() {
    const auto all = processor_origins(*session_);
    EXPECT_TRUE(all) << all.error().message();
    return all ? *all : Strings{};
  }
  void set_policy(const std::string& agent, std::vector<policy::Merchant> merchants) {
    policy::Policy policy;
    policy.merchants = std::move(merchants);
    auto tx = session_->begin();
    ASSERT_TRUE(tx);
    ASSERT_TRUE(tx->put(store::Table::policies, {agent, 0, policy_to_json(policy)}));
    ASSERT_TRUE(tx->journal(journal::Kind::policy_set, {}));
    ASSERT_TRUE(session_->commit(*tx));
  }
};

TEST_F(Recipes, TheOneInForce) {
  EXPECT_EQ(kept(), Strings{});
  EXPECT_TRUE(add("b", 2, "b.example").pinned);
  EXPECT_FALSE(add("b", 1, "b.example").pinned);
  EXPECT_TRUE(add("b", 10, "b.example").pinned);
  EXPECT_TRUE(add("a", 1, "a.example").pinned);
  EXPECT_EQ(kept(), (Strings{"a 1 pinned", "b 1", "b 2", "b 10 pinned"}));
  EXPECT_EQ(roll_back_recipe(*session_, "b")->version, 2U);
  EXPECT_EQ(kept(), (Strings{"a 1 pinned", "b 1", "b 2 pinned", "b 10"}));
  EXPECT_TRUE(add("b", 9, "b.example").pinned);
  EXPECT_EQ(pin_recipe(*session_, "b", 1)->version, 1U);
  EXPECT_EQ(pin_recipe(*session_, "b", 1)->version, 1U);
  EXPECT_EQ(roll_back_recipe(*session_, "b").error().code, Errc::not_found);
  EXPECT_EQ(pin_recipe(*session_, "b", 3).error().code, Errc::not_found);
  EXPECT_EQ(pin_recipe(*session_, "c", 1).error().code, Errc::not_found);
  reopen();
  EXPECT_EQ(kept(), (Strings{"a 1 pinned", "b 1 pinned", "b 2", "b 9", "b 10"}));
  EXPECT_EQ(*remove_recipe(*session_, "b"), 4U);
  EXPECT_EQ(remove_recipe(*session_, "b").error().code, Errc::not_found);
  EXPECT_EQ(kept(), (Strings{"a 1 pinned"}));
  // A version that is gone may come again.
  EXPECT_TRUE(add("b", 2, "b.example").pinned);
  reopen();
  EXPECT_EQ(kept(), (Strings{"a 1 pinned", "b 2 pinned"}));
}

TEST_F(Recipes, WhatIsRefused) {
  const std::string text = recipe("a", 1, "a.example");
  EXPECT_EQ(add_recipe(*session_, text, "", false).error().code, Errc::recipe_signature);
  EXPECT_EQ(add_recipe(*session_, text, std::string(128, '0'), false).error().code, Errc::recipe_signature);
  EXPECT_EQ(add_recipe(*session_, text.substr(1), "", true).error().code, Errc::bad_recipe);
  EXPECT_EQ(kept(), Strings{});
  EXPECT_FALSE(add_recipe(*session_, text, "", true)->is_signed);
  EXPECT_EQ(add_recipe(*session_, text, "", true).error().code, Errc::already_exists);
  session_->lock();
  EXPECT_EQ(kept_recipes(*session_).error().code, Errc::locked);
  EXPECT_EQ(processor_origins(*session_).error().code, Errc::locked);
}

TEST_F(Recipes, ForAMerchant) {
  add("a", 1, "a.example");
  add("b", 1, "b.example");
  add("b", 2, "bb.example");
  EXPECT_EQ(found("https://shop.example"), Strings{});
  for (const char* origin : {"https://js.a.example", "https://api.a.example", "https://frame.a.example"}) {
    EXPECT_EQ(found(origin), Strings{"a 1"}) << origin;
    EXPECT_EQ(found("https://shop.example", {"https://other.example", origin}), Strings{"a 1"}) << origin;
  }
  EXPECT_EQ(found("https://shop.example", {"https://api.a.example", "https://api.bb.example"}), (Strings{"a 1", "b 2"}));
  EXPECT_EQ(found("https://shop.example", {"https://api.b.example"}), Strings{});  // of the version that is not in force
  EXPECT_EQ(found("https://shop.example", {"https://api.a.example:8443"}), Strings{});
  const auto all = recipes_for(*session_, "https://api.a.example", {});
  EXPECT_EQ(all->at(0).text, recipe("a", 1, "a.example"));
  EXPECT_EQ(all->at(0).mode, wire::Mode::wire);
}

TEST_F(Recipes, WhatAgentsAreKeptOutOf) {
  EXPECT_EQ(processors(), Strings{});
  set_policy("agt_a", {{"https://shop.example", {"https://p.example", "https://q.example"}}});
  set_policy("agt_b", {{"https://q.example", {"https://p.example"}}, {"https://other.example", {"https://r.example"}}});
  EXPECT_EQ(processors(), (Strings{"https://p.example", "https://r.example"}));
  add("a", 1, "a.example");
  add("a", 2, "aa.example");
  EXPECT_EQ(processors(), (Strings{"https://api.aa.example", "https://bank.aa.example", "https://frame.aa.example", "https://js.aa.example",
                                   "https://p.example", "https://r.example"}));
  ASSERT_TRUE(remove_recipe(*session_, "a"));
  EXPECT_EQ(processors(), (Strings{"https://p.example", "https://r.example"}));
}

}  // namespace
}  // namespace popvault::gate
