#include "worker/trainer/lm/dropout.h"

#include <ATen/ops/empty.h>
#include <algorithm>
#include <cmath>

#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"

namespace ranktide {

DropoutKey dropout_key(const Chance& chance, size_t layer, int place, double rate, int64_t first_row) {
  const uint64_t where = layer * 16 + static_cast<uint64_t>(place);
  return {.key = mix(mix(chance.seed, static_cast<uint64_t>(chance.step)), where),
          .rate = rate,
          .first_row = first_row};
}

at::Tensor dropout_mask(const DropoutKey& key, int64_t rows, int64_t cols, at::ScalarType dtype) {
  RT_CHECK(key.rate >= 0 && key.rate < 1);
  const Philox philox{key.key};
  const auto drop_below = static_cast<uint32_t>(std::llround(key.rate * 0x1p32));
  const auto keep = static_cast<float>(1 / (1 - key.rate));
  at::Tensor mask = at::empty({rows, cols}, at::kFloat);
  float* out = mask.mutable_data_ptr<float>();
  for (int64_t row = 0; row < rows; ++row) {
    const auto high = static_cast<uint64_t>(key.first_row + row);
    for (int64_t col = 0; col < cols; col += 4) {
      const auto words = philox(static_cast<uint64_t>(col / 4), high);
      const int64_t n = std::min<int64_t>(4, cols - col);
      for (int64_t i = 0; i < n; ++i)
        out[row * cols + col + i] = words[static_cast<size_t>(i)] < drop_below ? 0.0F : keep;
    }
  }
  return mask.to(dtype);
}

}  // namespace ranktide
