#include "gate/sightings.hpp"

#include <gtest/gtest.h>

namespace popvault::gate {
namespace {

constexpr Seconds kNow = 1'800'000'000;

TEST(Sightings, TheFirstProgramAndEachChangeAreNews) {
  Sightings all;
  EXPECT_EQ(all.of("agt_a"), nullptr);
  EXPECT_TRUE(all.arrived(1, "agt_a", "/bin/one", kNow).changed);
  all.left(1);
  EXPECT_FALSE(all.arrived(2, "agt_a", "/bin/one", kNow + 5).changed);
  EXPECT_EQ(all.of("agt_a")->since, kNow);
  EXPECT_EQ(all.of("agt_a")->last_seen, kNow + 5);
  all.left(2);
  EXPECT_TRUE(all.arrived(3, "agt_a", "", kNow + 6).changed) << "one that the kernel does not tell is another one";
  all.left(3);
  EXPECT_TRUE(all.arrived(4, "agt_a", "/bin/one", kNow + 7).changed);
  EXPECT_TRUE(all.anomalies("agt_a", kNow + 7).empty()) << "one after the other is none";
}

TEST(Sightings, TwoAtOnceAreToldOncePerPair) {
  Sightings all;
  all.arrived(1, "agt_a", "/bin/one", kNow);
  EXPECT_TRUE(all.arrived(2, "agt_a", "/bin/one", kNow).anomalies.empty()) << "the same program twice";
  EXPECT_TRUE(all.arrived(3, "agt_b", "/bin/two", kNow).anomalies.empty()) << "another agent";
  EXPECT_EQ(all.arrived(4, "agt_a", "/bin/two", kNow + 1).anomalies.size(), 1U);
  EXPECT_TRUE(all.arrived(5, "agt_a", "/bin/two", kNow + 2).anomalies.empty());
  all.left(4);
  all.left(5);
  EXPECT_TRUE(all.arrived(6, "agt_a", "/bin/two", kNow + 3).anomalies.empty()) << "told already";
  EXPECT_EQ(all.arrived(7, "agt_a", "/bin/three", kNow + 4).anomalies.size(), 2U) << "two new pairs";
  EXPECT_EQ(all.anomalies("agt_a", kNow + 4).size(), 3U);
  EXPECT_TRUE(all.anomalies("agt_b", kNow + 4).empty());
}

TEST(Sightings, ShownForThirtyDaysAndToldAgainAfterwards) {
  Sightings all;
  all.arrived(1, "agt_a", "/bin/one", kNow);
  all.arrived(2, "agt_a", "/bin/two", kNow);
  EXPECT_EQ(all.anomalies("agt_a", kNow + kAnomalyShown - 1).size(), 1U);
  EXPECT_TRUE(all.anomalies("agt_a", kNow + kAnomalyShown).empty());
  all.left(2);
  EXPECT_TRUE(all.arrived(3, "agt_a", "/bin/two", kNow + kAnomalyShown - 1).anomalies.empty());
  all.left(3);
  EXPECT_EQ(all.arrived(4, "agt_a", "/bin/two", kNow + kAnomalyShown).anomalies.size(), 1U);
}

TEST(Sightings, ANewKeyForgetsThem) {
  Sightings all;
  all.arrived(1, "agt_a", "/bin/one", kNow);
  all.arrived(2, "agt_a", "/bin/two", kNow);
  all.left(1);
  all.left(2);
  all.forget("agt_a");
  EXPECT_EQ(all.of("agt_a"), nullptr);
  EXPECT_TRUE(all.arrived(3, "agt_a", "/bin/two", kNow).changed);
}

TEST(Sightings, TheJournalFillsInWhatIsNotKnown) {
  Sightings all;
  all.recall_executable("agt_a", "/bin/one", kNow);
  all.recall_executable("agt_a", "/bin/two", kNow + 1);
  all.recall_anomaly("agt_a", {"/bin/one", "/bin/two", kNow + 1});
  EXPECT_EQ(all.of("agt_a")->executable, "/bin/two");
  EXPECT_FALSE(all.of("agt_a")->last_seen);
  EXPECT_FALSE(all.arrived(1, "agt_a", "/bin/two", kNow + 2).changed);
  all.recall_executable("agt_a", "/bin/one", kNow);
  EXPECT_EQ(all.of("agt_a")->executable, "/bin/two") << "what was seen since stays";
  EXPECT_TRUE(all.arrived(2, "agt_a", "/bin/one", kNow + 3).anomalies.empty()) << "told before the restart";
}

TEST(Sightings, Bounded) {
  Sightings all;
  for (std::uint64_t i = 0; i < 100; ++i) all.arrived(i, "agt_a", "/bin/" + std::to_string(i), kNow);
  EXPECT_EQ(all.anomalies("agt_a", kNow).size(), kMostAnomalies);
}

}  // namespace
}  // namespace popvault::gate
