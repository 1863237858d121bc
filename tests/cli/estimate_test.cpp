#include "cli/estimate.h"

#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

TEST(Estimate, SlotsAreBoundedByCoresTrialsAndMemory) {
  EXPECT_EQ(slots_for(2, 24 * kGiB, 20, 2 * kGiB), 2);
  EXPECT_EQ(slots_for(64, 24 * kGiB, 20, 2 * kGiB), 12);
  EXPECT_EQ(slots_for(64, 24 * kGiB, 3, 2 * kGiB), 3);
}

TEST(Estimate, ThereIsAlwaysOneSlot) {
  EXPECT_EQ(slots_for(0, kGiB, 0, 100 * kGiB), 1);
}

TEST(Estimate, AGuessedRateIsFasterInBf16OnlyWhereTheProcessorHasIt) {
  EXPECT_GT(guessed_rate(Dtype::fp32), 0);
  EXPECT_GT(guessed_rate(Dtype::bf16), 0);
}

TEST(Estimate, ATrialWhoseInputsAreUnknownCannotBeCosted) {
  SweepTrial trial;
  trial.settings.model.path = "/no/such/model";
  EXPECT_FALSE(cost_of(trial, Inputs{}));
  EXPECT_FALSE(estimate({trial}, Inputs{}, {}));
}

}  // namespace
}  // namespace ranktide::cli
