#include "common/model/microbatch.h"

#include <gtest/gtest.h>

#include "tests/common/model/smollm2.h"

namespace ranktide {
namespace {

TrialSettings trial(int batch, int max_tokens) {
  TrialSettings settings;
  settings.train.batch = batch;
  settings.data.max_tokens = max_tokens;
  return settings;
}

TEST(Microbatch, HoldsABatchThatFits) {
  EXPECT_EQ(microbatch_rows(kSmolLm2, trial(2, 256), DeviceClass::cpu), 2);
}

TEST(Microbatch, CutsALargerBatchByTokensNotByRows) {
  const int rows = microbatch_rows(kSmolLm2, trial(64, 128), DeviceClass::cpu);
  EXPECT_GT(rows, 1);
  EXPECT_LT(rows, 64);
  EXPECT_NEAR(microbatch_rows(kSmolLm2, trial(64, 256), DeviceClass::cpu), rows / 2, 1);
}

// Who places a trial predicts its memory without asking what kind its slot is.
TEST(Microbatch, IsTheSameOnAGpuWhileNoneWasMeasured) {
  for (const int max_tokens : {128, 256, 100'000})
    EXPECT_EQ(microbatch_rows(kSmolLm2, trial(64, max_tokens), DeviceClass::gpu),
              microbatch_rows(kSmolLm2, trial(64, max_tokens), DeviceClass::cpu));
}

TEST(Microbatch, IsEvenedOutOverTheBatch) {
  for (int batch = 1; batch <= 40; ++batch) {
    const int rows = microbatch_rows(kSmolLm2, trial(batch, 512), DeviceClass::cpu);
    const int last = batch - (batch - 1) / rows * rows;
    EXPECT_LT(rows - last, (batch + rows - 1) / rows) << batch << " rows in micro-batches of " << rows;
  }
  EXPECT_EQ(microbatch_rows(kSmolLm2, trial(4, 512), DeviceClass::cpu), 2);
}

// Other numbers here may mean other bits: kNumericsVersion rises with them.
TEST(Microbatch, IsWhatThisVersionOfTheNumericsComputes) {
  EXPECT_EQ(microbatch_rows(kSmolLm2, trial(64, 128), DeviceClass::cpu), 11);
  EXPECT_EQ(microbatch_rows(kSmolLm2, trial(64, 256), DeviceClass::cpu), 6);
  ModelShape normed = kSmolLm2;
  normed.qk_norm = true;
  EXPECT_EQ(microbatch_rows(normed, trial(64, 128), DeviceClass::cpu), 10);
}

TEST(Microbatch, IsNeverLessThanARow) {
  EXPECT_EQ(microbatch_rows(kSmolLm2, trial(8, 100'000), DeviceClass::cpu), 1);
}

TEST(Microbatch, DoesNotDependOnMethodOrDtype) {
  TrialSettings lora = trial(64, 128), full = trial(64, 128);
  lora.lora = LoraSettings{.rank = 64};
  full.method = Method::full;
  full.model.dtype = Dtype::fp32;
  EXPECT_EQ(microbatch_rows(kSmolLm2, lora, DeviceClass::cpu),
            microbatch_rows(kSmolLm2, full, DeviceClass::cpu));
}

}  // namespace
}  // namespace ranktide
