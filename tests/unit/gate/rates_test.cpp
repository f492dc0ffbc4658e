#include <gtest/gtest.h>

#include "gate/rates.hpp"

namespace popvault::gate {
namespace {

TEST(Rates, ABurstAndThenOneASecond) {
  Rates rates;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(rates.take("a", 0));
  EXPECT_EQ(rates.take("a", 999).error().code, Errc::rate_limited);
  EXPECT_TRUE(rates.take("b", 999));
  EXPECT_TRUE(rates.take("a", 1001));
  EXPECT_FALSE(rates.take("a", 1002));
}

}  // namespace
}  // namespace popvault::gate
