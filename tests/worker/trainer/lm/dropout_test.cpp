#include "worker/trainer/lm/dropout.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <cmath>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

using at::Tensor;

Tensor mask_of(const DropoutKey& key, int64_t rows, int64_t cols, at::ScalarType dtype) {
  const Tensor mask = at::empty({rows, cols}, dtype);
  draw_dropout_mask(key, mask);
  return mask;
}

TEST(Dropout, KeepsTheMeanAndDropsTheRate) {
  const Tensor mask = mask_of({.key = 1, .rate = 0.25, .first_row = 0}, 400, 100, at::kFloat);
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(mask.mean().item<double>(), 1, 0.01);
}

TEST(Dropout, IsAFunctionOfTheTokenNotOfTheMicroBatch) {
  const Tensor whole = mask_of({.key = 3, .rate = 0.5, .first_row = 0}, 10, 9, at::kFloat);
  const Tensor rest = mask_of({.key = 3, .rate = 0.5, .first_row = 6}, 4, 9, at::kFloat);
  EXPECT_TRUE(whole.narrow(0, 6, 4).equal(rest));
}

// Rows that end before, at and after a block of the vectors, and counters beyond 32 bits.
TEST(Dropout, IsDrawnFromPhiloxOfRowAndColumn) {
  const DropoutKey key{.key = 0x123456789abcdef0, .rate = 0.4, .first_row = (int64_t{1} << 33) - 1};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const float kept = at::full({}, 1 / (1 - key.rate), at::kFloat).to(dtype).item<float>();
    for (const int64_t cols : {1, 6, 127, 128, 129, 576}) {
      const Tensor mask = mask_of(key, 3, cols, dtype).to(at::kFloat);
      for (int64_t row = 0; row < 3; ++row) {
        for (int64_t col = 0; col < cols; ++col) {
          const auto words =
              Philox{key.key}(static_cast<uint64_t>(col / 4), static_cast<uint64_t>(key.first_row + row));
          const bool is_dropped = words[static_cast<size_t>(col % 4)] < std::llround(key.rate * 0x1p32);
          ASSERT_EQ(mask[row][col].item<float>(), is_dropped ? 0 : kept)
              << row << ", " << col << " of " << cols;
        }
      }
    }
  }
}

// What a GPU draws by operations on tensors, here on the processor's: within a chunk and over its border.
TEST(Dropout, IsTheSameBitsWhereADeviceDrawsIt) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t cols : {1, 2, 3, 6, 129, 576, 90000}) {
      const DropoutKey key{.key = 0xfedcba9876543210, .rate = 0.3, .first_row = (int64_t{1} << 32) - 2};
      const int64_t rows = cols == 90000 ? 50 : 5;
      const Tensor drawn = at::empty({rows, cols}, dtype);
      draw_dropout_mask_by_operations(key, drawn);
      EXPECT_TRUE(drawn.equal(mask_of(key, rows, cols, dtype))) << cols << " columns of " << toString(dtype);
    }
  }
}

TEST(Dropout, DiffersByStepLayerAndPlace) {
  const Chance chance{.seed = 1, .step = 2};
  const uint64_t key = dropout_key(chance, 3, 4, 0.1, 0).key;
  EXPECT_NE(key, dropout_key({.seed = 1, .step = 3}, 3, 4, 0.1, 0).key);
  EXPECT_NE(key, dropout_key(chance, 4, 4, 0.1, 0).key);
  EXPECT_NE(key, dropout_key(chance, 3, 5, 0.1, 0).key);
}

}  // namespace
}  // namespace ranktide
