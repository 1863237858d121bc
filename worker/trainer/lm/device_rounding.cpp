#include "worker/trainer/lm/device_rounding.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <algorithm>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/stochastic_rounding.h"

namespace ranktide {
namespace {

using at::Tensor;

// A word of 32 bits as the int32 of the same bits: sums and products of both wrap to the same bits.
int32_t as_int32(uint32_t word) {
  return static_cast<int32_t>(word);
}

// Shifts in zeros: a shift of an int32 brings its sign with it, which the mask takes off again.
Tensor shifted(const Tensor& words, int64_t by) {
  return words.bitwise_right_shift(by).bitwise_and_(as_int32(~uint32_t{0} >> by));
}

// Returns: rounding_draw of the first places.
Tensor draws_of(int64_t places, at::Device device) {
  const RoundingHash hash;
  Tensor x = at::empty({places}, at::TensorOptions(device).dtype(at::kInt));
  at::arange_out(x, 0, places, 1).add_(as_int32(hash.start));
  x.bitwise_xor_(shifted(x, 16)).mul_(as_int32(hash.first));
  x.bitwise_xor_(shifted(x, 15)).mul_(as_int32(hash.second));
  return shifted(x, 16);
}

}  // namespace

void round_on_device(const Tensor& values, const Tensor& out) {
  RT_CHECK(values.dim() == 1 && values.is_contiguous());
  RT_CHECK(out.scalar_type() == at::kBFloat16 && out.is_contiguous());
  const int64_t total = values.numel();
  RT_CHECK(out.numel() == total);
  const Tensor draws = draws_of(std::min(total, kRoundingDraws), values.device());
  for (int64_t first = 0; first < total; first += kRoundingDraws) {
    const int64_t count = std::min(kRoundingDraws, total - first);
    const Tensor exact = values.narrow(0, first, count);
    Tensor words = exact.view(at::kInt).add(draws.narrow(0, 0, count));
    words.masked_fill_(exact.isnan(), as_int32(kQuietNan));
    const Tensor upper_halves = words.view(at::kShort).slice(0, 1, 2 * count, 2);  // of little-endian words
    out.narrow(0, first, count).view(at::kShort).copy_(upper_halves);
  }
}

}  // namespace ranktide
