#include "worker/trainer/lm/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <cmath>

#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"
#include "worker/trainer/lm/philox_mask.h"

namespace ranktide {
namespace {

constexpr int64_t kRowsPerTask = 16;

}  // namespace

DropoutKey dropout_key(const Chance& chance, size_t layer, int place, double rate, int64_t first_row) {
  const uint64_t where = layer * 16 + static_cast<uint64_t>(place);
  return {.key = mix(mix(chance.seed, static_cast<uint64_t>(chance.step)), where),
          .rate = rate,
          .first_row = first_row};
}

at::Tensor dropout_mask(const DropoutKey& key, int64_t rows, int64_t cols, at::ScalarType dtype) {
  RT_CHECK(key.rate >= 0 && key.rate < 1);
  RT_CHECK(dtype == at::kFloat || dtype == at::kBFloat16);
  const auto drop_below = static_cast<uint32_t>(std::llround(key.rate * 0x1p32));
  const auto keep = static_cast<float>(1 / (1 - key.rate));
  at::Tensor mask = at::empty({rows, cols}, dtype);
  const auto fill = [&](auto kept, auto* out) {
    at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        philox_mask({key.key, static_cast<uint64_t>(key.first_row + row), drop_below}, cols, kept,
                    out + row * cols);
    });
  };
  if (dtype == at::kFloat)
    fill(keep, mask.mutable_data_ptr<float>());
  else
    fill(at::BFloat16(keep).x, static_cast<uint16_t*>(mask.mutable_data_ptr()));
  return mask;
}

}  // namespace ranktide
