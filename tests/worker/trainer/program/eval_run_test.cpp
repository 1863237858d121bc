#include "worker/trainer/program/eval_run.h"

#include <gtest/gtest.h>

#include "common/model/microbatch.h"
#include "worker/trainer/eval/evaluate.h"

namespace ranktide {
namespace {

TEST(TokensOfForward, FollowTheRowsAndNeverExceedTheUsual) {
  EXPECT_EQ(tokens_of_forward(0, kEvalMicrobatch), kEvalTokensPerForward) << "nobody asked for fewer";
  EXPECT_EQ(tokens_of_forward(kEvalMicrobatch / 2, kEvalMicrobatch), kEvalTokensPerForward / 2);
  EXPECT_EQ(tokens_of_forward(64, kEvalMicrobatch), kEvalTokensPerForward);
  EXPECT_EQ(tokens_of_forward(1, 1'000'000), 1);
}

}  // namespace
}  // namespace ranktide
