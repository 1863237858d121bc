// How scored items become one number: by hand-computed examples, without a model.

#include <cmath>
#include <gtest/gtest.h>

#include "worker/trainer/eval/evaluate.h"

namespace ranktide {
namespace {

ItemScore loss_item(double loglik, int64_t tokens) {
  return {.loglik = {loglik}, .tokens = {tokens}};
}
ItemScore choice_item(bool correct) {
  return {.loglik = {-1, -2}, .tokens = {2, 3}, .choice = 0, .correct = correct};
}

TEST(Tally, LossIsNatsPerTokenOverAllTokensNotAMeanOfItems) {
  const Evaluation e = tally({loss_item(-10, 2), loss_item(-8, 8)}, EvalKind::loss);
  EXPECT_EQ(e.metric, "loss");
  EXPECT_EQ(e.sign, -1);
  EXPECT_DOUBLE_EQ(e.value, 1.8);
  EXPECT_EQ(e.tokens, 10);
}

TEST(Tally, LossErrorIsThatOfTheRatio) {
  // Residuals 10 - 1.8 * 2 = 6.4 and 8 - 1.8 * 8 = -6.4; sqrt((6.4^2 + 6.4^2) * 2 / 1) / 10
  EXPECT_NEAR(tally({loss_item(-10, 2), loss_item(-8, 8)}, EvalKind::loss).stderr_, 1.28, 1e-12);
}

TEST(Tally, EqualItemsHaveNoSamplingError) {
  EXPECT_NEAR(tally({loss_item(-4, 2), loss_item(-4, 2), loss_item(-4, 2)}, EvalKind::loss).stderr_, 0, 1e-12);
}

TEST(Tally, AccuracyIsTheShareOfCorrectItemsWithItsStandardError) {
  const Evaluation e =
      tally({choice_item(true), choice_item(false), choice_item(true), choice_item(true)}, EvalKind::choice);
  EXPECT_EQ(e.metric, "acc");
  EXPECT_EQ(e.sign, 1);
  EXPECT_DOUBLE_EQ(e.value, 0.75);
  EXPECT_NEAR(e.stderr_, std::sqrt(0.75 * 0.25 / 3), 1e-15);  // as lm_eval: sample deviation over sqrt(n)
  EXPECT_EQ(e.tokens, 20);
}

TEST(Tally, ASingleItemHasAnUnknownError) {
  EXPECT_TRUE(std::isnan(tally({loss_item(-4, 2)}, EvalKind::loss).stderr_));
  EXPECT_TRUE(std::isnan(tally({choice_item(true)}, EvalKind::choice).stderr_));
}

}  // namespace
}  // namespace ranktide
