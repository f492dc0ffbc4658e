#include <gtest/gtest.h>

#include <set>

#include "ledger/purchases.hpp"

namespace popvault::ledger {
namespace {

TEST(Purchases, TheStateMachine) {
  const char* const states[] = {"awaiting_approval", "approved", "denied",   "canceled", "expired",
                                "filling",           "filled",   "settled",  "released", "outcome_unknown", "armed",
                                "awaiting_owner"};
  const std::set<std::pair<std::string, std::string>> allowed = {
      {"awaiting_approval", "approved"}, {"awaiting_approval", "denied"}, {"awaiting_approval", "canceled"},
      {"awaiting_approval", "expired"},  {"approved", "filling"},         {"approved", "canceled"},
      {"approved", "denied"},            {"approved", "expired"},         {"filling", "filled"},
      {"filling", "outcome_unknown"},    {"filled", "settled"},           {"outcome_unknown", "settled"},
      {"outcome_unknown", "released"},   {"denied", "approved"},         {"approved", "armed"},
      {"armed", "approved"},             {"armed", "filling"},           {"armed", "canceled"},
      {"armed", "denied"},               {"armed", "expired"},           {"filling", "awaiting_owner"},
      {"awaiting_owner", "settled"}};
  for (const char* from : states)
    for (const char* to : states) EXPECT_EQ(may_become(from, to), allowed.contains({from, to})) << from << " -> " << to;
}

TEST(Purchases, MoneyIsHeldUntilItIsDebitedOrReleased) {
  // From every state that holds: no step leaves the hold behind, and none that holds nothing releases.
  const char* const states[] = {"awaiting_approval", "approved", "denied",   "canceled", "expired",
                                "filling",           "filled",   "settled",  "released", "outcome_unknown", "armed",
                                "awaiting_owner"};
  for (const char* from : states)
    for (const char* to : states) {
      if (!may_become(from, to)) continue;
      const Money money = money_of(from, to);
      const bool ends = money == Money::debit || money == Money::release;
      EXPECT_EQ(holds(from) && !holds(to), ends) << from << " -> " << to;
      EXPECT_EQ(!holds(from) && holds(to), money == Money::hold) << from << " -> " << to;
    }
}

}  // namespace
}  // namespace popvault::ledger
