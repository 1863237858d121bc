#include "common/sweep/taken_trials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

const std::string kTakenBlocks = kHead +
                                 "seeds: 2\n"
                                 "blocks:\n"
                                 "  lora: {method: lora, lora.rank: [4, 8, 16]}\n"
                                 "  more: {method: lora, lora.rank: [16, 32]}\n";  // 16 is in lora already

std::vector<int64_t> indices_of(const SweepSpec& spec) {
  std::vector<int64_t> out;
  for (const SweepTrial& trial : trials_of(spec)) out.push_back(trial.index);
  return out;
}

TEST(TakenTrials, AreThoseOfTheGridWithTheirIdsAndNoOthers) {
  SweepSpec spec = sweep(kTakenBlocks);
  const auto all = trials_of(spec);
  spec.taken = ranges_of({0, 1, 5, 8});
  const auto some = trials_of(spec);
  ASSERT_EQ(indices_of(spec), (std::vector<int64_t>{0, 1, 5, 8}));
  EXPECT_EQ(some[0].id, all[0].id);
  EXPECT_EQ(some[3].id, all[6].id) << "rank 32, seed 0";
  EXPECT_EQ(trial_count(spec, Grid(spec).counts()), 4);
}

TEST(TakenTrials, ACellOfTwoBlocksIsTakenWhereItStandsFirst) {
  SweepSpec spec = sweep(kTakenBlocks);
  spec.taken = ranges_of({6, 7});
  EXPECT_TRUE(trials_of(spec).empty()) << "rank 16 is the third cell of lora";
  spec.taken = ranges_of({4, 5});
  ASSERT_EQ(trials_of(spec).size(), 2u);
  EXPECT_EQ(trials_of(spec)[0].blocks, (std::vector<std::string>{"lora", "more"}));
  EXPECT_EQ(trial_count(spec, Grid(spec).counts()), 2);
}

TEST(TakenTrials, NeighboursShareARange) {
  const auto ranges = ranges_of({2, 3, 4, 9});
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].first, 2);
  EXPECT_EQ(ranges[0].end, 5);
  EXPECT_EQ(ranges[1].end, 10);
}

TEST(TakenTrials, RangesThatAreNoneAreRefused) {
  SweepSpec spec = sweep(kTakenBlocks);
  for (const std::vector<TrialRange>& wrong :
       {std::vector<TrialRange>{{0, 0}}, {{4, 2}}, {{2, 4}, {0, 1}}, {{0, 3}, {2, 4}}, {{8, 11}}, {{-1, 1}}}) {
    spec.taken = wrong;
    EXPECT_THAT(error_of([&] { Grid{spec}; }), HasSubstr("of the grid"));
  }
}

}  // namespace
}  // namespace ranktide
