#include "worker/trainer/program/microbatch.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

ModelShape smollm2_135m() {
  return {.family = "llama", .vocabulary = 49152, .hidden = 576, .ffn = 1536, .layers = 30};
}

TrialSettings trial(int batch, int max_tokens) {
  TrialSettings settings;
  settings.train.batch = batch;
  settings.data.max_tokens = max_tokens;
  return settings;
}

TEST(Microbatch, HoldsABatchThatFits) {
  EXPECT_EQ(microbatch_rows(smollm2_135m(), trial(2, 256), DeviceClass::cpu), 2);
}

TEST(Microbatch, CutsALargerBatchByTokensNotByRows) {
  const int rows = microbatch_rows(smollm2_135m(), trial(64, 128), DeviceClass::cpu);
  EXPECT_GT(rows, 1);
  EXPECT_LT(rows, 64);
  EXPECT_EQ(microbatch_rows(smollm2_135m(), trial(64, 256), DeviceClass::cpu), rows / 2);
}

TEST(Microbatch, IsNeverLessThanARow) {
  EXPECT_EQ(microbatch_rows(smollm2_135m(), trial(8, 100'000), DeviceClass::cpu), 1);
}

TEST(Microbatch, DoesNotDependOnMethodOrDtype) {
  TrialSettings lora = trial(64, 128), full = trial(64, 128);
  lora.lora = LoraSettings{.rank = 64};
  full.method = Method::full;
  full.model.dtype = Dtype::fp32;
  EXPECT_EQ(microbatch_rows(smollm2_135m(), lora, DeviceClass::cpu),
            microbatch_rows(smollm2_135m(), full, DeviceClass::cpu));
}

}  // namespace
}  // namespace ranktide
