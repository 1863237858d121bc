#include <gtest/gtest.h>

#include "tests/sim/cluster.h"
#include "tests/sim/seeded_bug.h"

namespace ranktide::sim {
namespace {

// Returns: the first seed of 1..n that breaks an invariant.
std::optional<uint64_t> first_broken_seed(const std::string& bug, uint64_t n) {
  plant_bug(bug);
  std::optional<uint64_t> found;
  for (uint64_t seed = 1; seed <= n && !found; ++seed) {
    try {
      Cluster({.seed = seed}).run();
    } catch (const Violation& violation) {
      std::printf("SEED=%llu %s\n", static_cast<unsigned long long>(seed), violation.what());
      found = seed;
    }
  }
  plant_bug("");
  return found;
}

TEST(Simulation, HoldsItsInvariantsOverTwentySeeds) {
  const auto broken = first_broken_seed("", 20);
  EXPECT_FALSE(broken) << "rerun: simulate --seeds " << *broken << " --loud";
}

TEST(Simulation, WritesTheSameHistoryForTheSameSeed) {
  EXPECT_EQ(Cluster({.seed = 7}).run().history_hash, Cluster({.seed = 7}).run().history_hash);
  EXPECT_NE(Cluster({.seed = 7}).run().history_hash, Cluster({.seed = 8}).run().history_hash);
}

TEST(Simulation, MeetsTheFaultsItIsMadeFor) {
  uint64_t lives = 0;
  int64_t completed = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const RunResult result = Cluster({.seed = seed}).run();
    lives += result.coordinator_lives;
    completed += result.completed;
  }
  EXPECT_GT(lives, 10u) << "coordinators hardly ever crash";
  EXPECT_GT(completed, 20) << "hardly any trial is completed";
}

// The test of the tests: a simulator is as good as its checkers. Some bugs need a rare moment, and so more
// seeds.
struct Planted {
  std::string bug;
  uint64_t seeds;
};
class SeededBug : public testing::TestWithParam<Planted> {};
TEST_P(SeededBug, IsFound) {
  EXPECT_TRUE(first_broken_seed(GetParam().bug, GetParam().seeds));
}
INSTANTIATE_TEST_SUITE_P(Simulation, SeededBug,
                         testing::Values(Planted{"fencing", 20}, Planted{"ack_before_commit", 20},
                                         Planted{"sync_order", 60}, Planted{"grant_twice", 60},
                                         Planted{"grant_any_life", 400}),
                         [](const auto& planted) { return planted.param.bug; });

}  // namespace
}  // namespace ranktide::sim
