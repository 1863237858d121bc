// What finished trials tell of the time and memory of those to come.

#include "coordinator/edge/query_past.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "common/vocabulary/numerics.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class MeasuredTrials : public testing::Test {
 protected:
  MeasuredTrials() {
    history_.begin();
    history_.numerics = kNumericsVersion;
    history_.submit("tide");
  }

  std::vector<MeasuredTrial> measured() const { return measured_trials(history_.reader()); }
  // Of those measured on this kind of device.
  std::vector<uint64_t> seeds(const std::string& device) const {
    std::vector<uint64_t> out;
    for (const MeasuredTrial& trial : measured())
      if (trial.device == device) out.push_back(trial.settings.seed);
    return out;
  }

  TemporaryFolder folder_;
  History history_{folder_.path()};
};

TEST_F(MeasuredTrials, AreTheNewestOfEachKindHoweverManyAnotherHas) {
  history_.device = "cpu AVX2";
  for (uint64_t seed = 0; seed < kMeasuredPerKind + 5; ++seed) history_.ran({.rank = 4, .seed = seed}, 1, 3);
  history_.device = "cuda sm_90 H200";
  history_.ran({.rank = 4, .seed = 100}, 1, 3);
  history_.ran({.rank = 8, .seed = 101}, 1, 3);
  const std::vector<uint64_t> on_cores = seeds("cpu");
  ASSERT_EQ(on_cores.size(), static_cast<size_t>(kMeasuredPerKind));
  EXPECT_EQ(on_cores.front(), kMeasuredPerKind + 4);
  EXPECT_EQ(on_cores.back(), 5U);
  EXPECT_THAT(seeds("gpu"), testing::ElementsAre(101U, 100U));
}

TEST_F(MeasuredTrials, CountOnceWhicheverSweepsListThem) {
  const SweepTrial shared = history_.ran({.rank = 4}, 1, 3);
  history_.submit("ebb");
  history_.record(TrialListed{.sweep = 2, .revision = 1, .trial = shared});
  EXPECT_EQ(measured().size(), 1U);
}

TEST_F(MeasuredTrials, AreOfThisNumericsVersionAndExact) {
  history_.ran({.rank = 4, .seed = 1}, 1, 3);
  history_.exact = false;
  history_.ran({.rank = 4, .seed = 2}, 1, 3);
  history_.exact = true;
  history_.numerics = kNumericsVersion - 1;
  history_.ran({.rank = 4, .seed = 3}, 1, 3);
  history_.numerics = 0;
  history_.ran({.rank = 4, .seed = 4}, 1, 3);
  EXPECT_THAT(seeds("cpu"), testing::ElementsAre(1U));
}

// `run --threads-per-slot 2` after a sweep on one thread each: the worker's slots are other ones now.
TEST_F(MeasuredTrials, AreOfTheSlotsThatTheirWorkerHadThen) {
  history_.ran({.rank = 4, .seed = 1}, 1, 3);
  EXPECT_EQ(measured().at(0).threads, 1);
  history_.record(
      WorkerJoined{.worker = WorkerName{"w1"},
                   .boot = "another",
                   .version = "1",
                   .slots = {{.index = 0, .device = "cpu", .threads = 2, .processor = "Make Of Tides"}}});
  EXPECT_EQ(measured().at(0).threads, 1);
  EXPECT_EQ(measured().at(0).processor, "");
  history_.record(
      WorkerJoined{.worker = WorkerName{"w1"},
                   .boot = "a",
                   .version = "1",
                   .slots = {{.index = 0, .device = "cpu", .threads = 2, .processor = "Make Of Tides"}}});
  EXPECT_EQ(measured().at(0).threads, 2);
  EXPECT_EQ(measured().at(0).processor, "Make Of Tides");
}

// Its worker has slots of two threads now, and trained more on those.
TEST_F(MeasuredTrials, OfManyOnOtherSlotsDoNotHideTheFewBefore) {
  history_.ran({.rank = 4, .seed = 100}, 1, 3);
  history_.boot = "b";
  history_.record(WorkerJoined{.worker = WorkerName{"w1"},
                               .boot = "b",
                               .version = "1",
                               .slots = {{.index = 0, .device = "cpu", .threads = 2}}});
  for (uint64_t seed = 0; seed < kMeasuredPerKind + 5; ++seed) history_.ran({.rank = 4, .seed = seed}, 1, 3);
  std::map<int, int64_t> by_threads;
  for (const MeasuredTrial& trial : measured()) ++by_threads[trial.threads];
  EXPECT_EQ(by_threads[1], 1);
  EXPECT_EQ(by_threads[2], kMeasuredPerKind);
}

}  // namespace
}  // namespace ranktide
