#include "common/model/cost.h"

#include <gtest/gtest.h>

#include "common/model/step_work.h"
#include "tests/common/model/smollm2.h"

namespace ranktide {
namespace {

TrialSettings lora_all(int rank) {
  TrialSettings settings;
  settings.lora =
      LoraSettings{.rank = rank,
                   .alpha = 2.0 * rank,
                   .target = {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}};
  return settings;
}

TrialSettings full() {
  TrialSettings settings;
  settings.method = Method::full;
  return settings;
}

TEST(Cost, CountsSmolLm2) {
  const Parameters p = parameters_of(kSmolLm2);
  EXPECT_EQ(p.linear, 106'168'320);
  EXPECT_EQ(p.head, 28'311'552);
  EXPECT_EQ(p.total, 134'515'008);
  EXPECT_EQ(trained_parameters(lora_all(16), kSmolLm2), 4'884'480);
  EXPECT_EQ(trained_parameters(full(), kSmolLm2), p.total);
}

// The table of the cost model: 4 x 512 tokens, 1761 GFLOP full and 1271 GFLOP LoRA r=16 with causal blocks
// skipped.
TEST(Cost, FlopsAgreeWithTheTable) {
  const StepLoad load{.tokens = 2048, .sequence = 512};
  EXPECT_NEAR(2048 * flops_per_token(full(), kSmolLm2, load) / 1e9, 1761, 5);
  EXPECT_NEAR(2048 * flops_per_token(lora_all(16), kSmolLm2, load) / 1e9, 1271, 5);
}

TEST(Cost, MaskedRowsSaveTheHead) {
  const StepLoad all{.tokens = 512, .sequence = 256},
      half{.tokens = 512, .sequence = 256, .labelled_share = 0.5};
  EXPECT_NEAR(flops_per_token(full(), kSmolLm2, all) - flops_per_token(full(), kSmolLm2, half),
              3 * 28'311'552.0, 1);
}

TEST(Cost, MemoryGrowsWithWhatTrainsAndWithTokens) {
  const StepLoad small{.tokens = 512, .sequence = 256}, large{.tokens = 2048, .sequence = 512};
  EXPECT_GT(predicted_peak_bytes(full(), kSmolLm2, small),
            predicted_peak_bytes(lora_all(16), kSmolLm2, small) + 16LL * 125'000'000);
  EXPECT_GT(predicted_peak_bytes(lora_all(16), kSmolLm2, large),
            predicted_peak_bytes(lora_all(16), kSmolLm2, small));
}

TEST(Cost, LionRemembersOneValueOfEachTrainedWeightInsteadOfTwo) {
  const StepLoad load{.tokens = 512, .sequence = 256};
  for (const TrialSettings& adamw : {full(), lora_all(16)}) {
    TrialSettings lion = adamw;
    lion.train.optimizer = Optimizer::lion;
    EXPECT_NEAR(static_cast<double>(predicted_peak_bytes(adamw, kSmolLm2, load) -
                                    predicted_peak_bytes(lion, kSmolLm2, load)),
                4.0 * static_cast<double>(trained_parameters(adamw, kSmolLm2)), 2);
    EXPECT_LT(optimizer_bytes(lion, kSmolLm2), optimizer_bytes(adamw, kSmolLm2));
  }
}

TEST(Cost, MemoryHoldsNoWidenedHeadWhereBf16IsMultipliedAsItIs) {
  const StepLoad load{.tokens = 64, .sequence = 64};
  const double head = 4.0 * static_cast<double>(kSmolLm2.vocabulary * kSmolLm2.hidden);
  TrialSettings settings = lora_all(16);
  settings.model.dtype = Dtype::bf16;
  const int64_t unknown = predicted_peak_bytes(settings, kSmolLm2, load);
  EXPECT_EQ(unknown, predicted_peak_bytes(settings, kSmolLm2, load, Bf16::widened));
  const int64_t as_it_is = predicted_peak_bytes(settings, kSmolLm2, load, Bf16::as_it_is);
  EXPECT_NEAR(static_cast<double>(unknown - as_it_is), head, head / 10);
  settings.model.dtype = Dtype::fp32;
  EXPECT_EQ(predicted_peak_bytes(settings, kSmolLm2, load, Bf16::widened),
            predicted_peak_bytes(settings, kSmolLm2, load, Bf16::as_it_is));
}

}  // namespace
}  // namespace ranktide
