#include "worker/trainer/check/training_check.h"

#include <ATen/TensorOperators.h>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <stdexcept>
#include <tuple>

#include "tests/common/model/scratch.h"
#include "worker/trainer/check/families.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

using testing::Each;
using testing::Field;
using testing::HasSubstr;

std::vector<TrainingRow> rows_of_check(const CheckOptions& options) {
  start_engine(1);
  return check_training(options);
}

std::vector<TrainingRow> only(Dtype dtype, std::vector<TrainingRow> rows) {
  std::erase_if(rows, [&](const TrainingRow& row) { return row.dtype != dtype; });
  return rows;
}

const auto kHasOtherLosses =
    Field("failure", &TrainingRow::failure, HasSubstr("the losses are not those of the fp64 reference"));

TEST(TrainingCheck, PassesARowOfEveryFamilyMethodAndDtype) {
  std::set<std::tuple<std::string, Method, Dtype>> seen;
  for (const TrainingRow& row : rows_of_check({})) {
    const std::string name =
        row.family + " " + std::string(text_of(row.method)) + " " + std::string(text_of(row.dtype));
    seen.insert({row.family, row.method, row.dtype});
    EXPECT_EQ(row.failure, "") << name << ", loss error " << row.loss_error;
    EXPECT_LE(row.loss_error, row.dtype == Dtype::fp32 ? 1e-4 : 1e-2) << name;
    EXPECT_GT(row.loss_error, 0) << name << " compares a number with itself";
    EXPECT_TRUE(row.resumes_exactly) << name;
    EXPECT_GT(row.steps_per_second, 0) << name;
    EXPECT_GT(row.memory_peak_bytes, 0) << name;
  }
  EXPECT_EQ(seen.size(), families().size() * 2 * 2);
}

TEST(TrainingCheck, FailsWhereTheRotaryBaseOfTheReferenceIsAnother) {
  const auto rows = rows_of_check(
      {.steps = 2, .change_oracle = [](ModelShape& shape, Network&) { shape.rope_theta *= 1.5; }});
  EXPECT_THAT(only(Dtype::fp32, rows), Each(kHasOtherLosses));
}

TEST(TrainingCheck, FailsWhereOneRowOfAWeightIsAnother) {
  const auto rows = rows_of_check({.steps = 2, .change_oracle = [](ModelShape&, Network& network) {
                                     network.layers.back().down.w.value[3].add_(0.5);
                                   }});
  EXPECT_THAT(only(Dtype::fp32, rows), Each(kHasOtherLosses));
}

TEST(TrainingCheck, FailsInBf16WhereAWholeNormIsAnother) {
  const auto rows = rows_of_check({.steps = 2, .change_oracle = [](ModelShape&, Network& network) {
                                     network.final_norm.w.value.mul_(1.5);
                                   }});
  EXPECT_THAT(rows, Each(kHasOtherLosses));
}

TEST(TrainingCheck, FailsWhereAResumeBeginsAnew) {
  const auto rows = rows_of_check({.steps = 4, .before_resume = [](const std::filesystem::path& folder) {
                                     std::filesystem::remove_all(folder);
                                   }});
  EXPECT_THAT(rows, Each(Field("failure", &TrainingRow::failure,
                               HasSubstr("stopped after step 2, a training went on at step 1"))));
  EXPECT_THAT(rows, Each(Field("resumes_exactly", &TrainingRow::resumes_exactly, false)));
}

TEST(TrainingCheck, ARowThatThrowsKeepsNobodyFromSeeingTheOthers) {
  int asked = 0;
  const auto rows = rows_of_check({.steps = 2, .change_oracle = [&](ModelShape&, Network&) {
                                     if (++asked == 2) throw std::runtime_error("no memory on this device");
                                   }});
  ASSERT_GT(rows.size(), 2U);
  EXPECT_EQ(rows[0].failure, "");
  EXPECT_EQ(rows[1].failure, "no memory on this device");
  EXPECT_EQ(rows[2].failure, "");
}

TEST(TrainingCheck, LeavesNothingInTheTemporaryFolder) {
  const Scratch scratch;
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "/tmp";
  setenv("TMPDIR", scratch.path().c_str(), 1);
  bool was_used = false;
  rows_of_check({.steps = 2, .before_resume = [&](const std::filesystem::path& folder) {
                   was_used = was_used || folder.string().starts_with(scratch.path().string());
                 }});
  setenv("TMPDIR", kept.c_str(), 1);
  EXPECT_TRUE(was_used);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

}  // namespace
}  // namespace ranktide
