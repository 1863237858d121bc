#include <gtest/gtest.h>

#include "tests/sanitised.h"
#include "tests/sim/cluster.h"
#include "tests/sim/seeded_bug.h"

namespace ranktide::sim {
namespace {

// Returns: the first seed of 1..n that breaks an invariant.
std::optional<uint64_t> first_broken_seed(const std::string& bug, uint64_t n,
                                          std::optional<Faults> faults = {}) {
  plant_bug(bug);
  std::optional<uint64_t> found;
  for (uint64_t seed = 1; seed <= n && !found; ++seed) {
    try {
      Cluster({.seed = seed, .faults = faults}).run();
    } catch (const Violation& violation) {
      std::printf("SEED=%llu %s\n", static_cast<unsigned long long>(seed), violation.what());
      found = seed;
    }
  }
  plant_bug("");
  return found;
}

TEST(Simulation, HoldsItsInvariantsOverTwentySeeds) {
  const auto broken = first_broken_seed("", tried_of<uint64_t>(20));
  EXPECT_FALSE(broken) << "rerun: simulate --seeds " << *broken << " --loud";
}

TEST(Simulation, WritesTheSameHistoryForTheSameSeed) {
  const auto first = Cluster({.seed = 7}).run().history_hash;
  EXPECT_EQ(Cluster({.seed = 7}).run().history_hash, first);
  EXPECT_NE(Cluster({.seed = 8}).run().history_hash, first);
}

// A fault that no seed reaches tests nothing.
TEST(Simulation, ReachesEveryKindOfRecord) {
  std::set<std::string> kinds;
  uint64_t lives = 0;
  // A lease is revived only where nobody else is there to take its unit over.
  Faults bad_line;
  bad_line.silence = 0.01;
  // A trunk is trained again only where its worker has gone with some of what it began, and the rest waits.
  Faults restless;
  restless.worker_drain = 0.03;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RunResult drawn = Cluster({.seed = seed}).run();
    const RunResult lonely = Cluster({.seed = seed, .workers_max = 1, .faults = bad_line}).run();
    const RunResult moving = Cluster({.seed = seed, .faults = restless}).run();
    kinds.insert(drawn.kinds.begin(), drawn.kinds.end());
    kinds.insert(moving.kinds.begin(), moving.kinds.end());
    kinds.insert(lonely.kinds.begin(), lonely.kinds.end());
    lives += drawn.coordinator_lives;
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Record>) << testing::PrintToString(kinds);
  EXPECT_GT(lives, 60u) << "coordinators hardly ever crash";
}

// What is cut short or spoilt in its form is refused, and everything comes to its end all the same.
TEST(Simulation, SurvivesMessagesThatWereDamagedOnTheWay) {
  Faults faults;
  faults.message_damaged = 0.1;
  RunResult sum;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const RunResult result = Cluster({.seed = seed, .faults = faults}).run();
    sum.damaged_refused += result.damaged_refused;
    sum.damaged_read += result.damaged_read;
  }
  EXPECT_GT(sum.damaged_refused, 100);
  EXPECT_GT(sum.damaged_read, 50) << "no damage reached a value";
}

// A worker with a key may say anything: the coordinator stays up, and keeps what it decided.
TEST(Simulation, NoMessageOfAWorkerEndsTheCoordinator) {
  Faults faults;
  faults.message_damaged = 0.5;
  for (uint64_t seed = 1; seed <= (kIsSanitised ? 5 : 10); ++seed)
    EXPECT_GT(Cluster({.seed = seed, .faults = faults, .is_hostile = true}).run().damaged_read, 0) << seed;
}

// The test of the tests: a simulator is as good as its checkers.
struct Planted {
  std::string bug;
  uint64_t seeds;
  std::optional<Faults> faults{};
};
class SeededBug : public testing::TestWithParam<Planted> {};
TEST_P(SeededBug, IsFound) {
  EXPECT_TRUE(first_broken_seed(GetParam().bug, GetParam().seeds, GetParam().faults));
}

// Bugs at a worker's end of life need workers that die often, and a coordinator that notices late.
Faults short_lives() {
  Faults faults;
  faults.delay_max = Duration{4'000};
  faults.worker_crash = 0.03;
  faults.coordinator_deaf = 0.02;
  return faults;
}

// A grant that comes a second time must find its first one ended.
Faults late_repeats() {
  Faults faults;
  faults.delay_max = Duration{20'000};
  faults.message_repeated = 0.2;
  return faults;
}

INSTANTIATE_TEST_SUITE_P(Simulation, SeededBug,
                         testing::Values(Planted{"fencing", 20}, Planted{"ack_before_commit", 20},
                                         Planted{"sync_order", 60, short_lives()},
                                         Planted{"grant_twice", 60, late_repeats()},
                                         Planted{"grant_any_life", 60, short_lives()}, Planted{"any_slot", 20}),
                         [](const auto& planted) { return planted.param.bug; });

}  // namespace
}  // namespace ranktide::sim
