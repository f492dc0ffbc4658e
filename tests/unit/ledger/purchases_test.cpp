#include <gtest/gtest.h>

#include <set>

#include "ledger/purchases.hpp"

namespace popvault::ledger {
namespace {

TEST(Purchases, TheStateMachine) {
  const char* const states[] = {"awaiting_approval", "approved", "denied",   "canceled", "expired",
                                "filling",           "filled",   "settled",  "released", "outcome_unknown"};
  const std::set<std::pair<std::string, std::string>> allowed = {
      {"awaiting_approval", "approved"}, {"awaiting_approval", "denied"}, {"awaiting_approval", "canceled"},
      {"awaiting_approval", "expired"},  {"approved", "filling"},         {"approved", "canceled"},
      {"approved", "denied"},            {"approved", "expired"},         {"filling", "filled"},
      {"filling", "outcome_unknown"},    {"filled", "settled"},           {"outcome_unknown", "settled"},
      {"outcome_unknown", "released"}};
  for (const char* from : states)
    for (const char* to : states) EXPECT_EQ(may_become(from, to), allowed.contains({from, to})) << from << " -> " << to;
}

}  // namespace
}  // namespace popvault::ledger
