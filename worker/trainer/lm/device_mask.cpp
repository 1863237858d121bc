#include "worker/trainer/lm/device_mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <array>

namespace ranktide {
namespace {

using at::Tensor;

constexpr int64_t kWord = 0xFFFFFFFF;

// Words of 32 bits in int64. A product of two wraps as an unsigned one does, and a shift brings the sign with
// it, which the mask takes off again.
Tensor low(const Tensor& x) {
  return x.bitwise_and(kWord);
}
Tensor high(const Tensor& x) {
  return x.bitwise_right_shift(32).bitwise_and_(kWord);
}

// The four words of many counters. What is equal along rows or columns is held once, as (R, 1) or (1, C).
using Words = std::array<Tensor, 4>;

// One round of random.h's Philox.
Words turned(const Words& c, uint32_t k0, uint32_t k1) {
  const Tensor p0 = c[0] * int64_t{0xD2511F53}, p1 = c[2] * int64_t{0xCD9E8D57};
  return {high(p1).bitwise_xor(c[1]).bitwise_xor_(int64_t{k0}), low(p1),
          high(p0).bitwise_xor(c[3]).bitwise_xor_(int64_t{k1}), low(p0)};
}

// Returns: from, from + 1 ... , made where it is used.
Tensor counted(int64_t from, int64_t count, at::Device device) {
  Tensor out = at::empty({count}, at::TensorOptions(device).dtype(at::kLong));
  return at::arange_out(out, from, from + count, 1);
}

// Returns: the words of counters (0 ... columns, high ... high + rows).
Words words_of(uint64_t key, int64_t high_word, int64_t rows, int64_t columns, at::Device device) {
  const Tensor column = counted(0, columns, device).unsqueeze(0);    // (1, C)
  const Tensor row = counted(high_word, rows, device).unsqueeze(1);  // (R, 1)
  const Tensor none = at::zeros({1, 1}, row.options());              // of fewer columns than 2^34
  Words c{low(column), none, low(row), high(row)};
  auto k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    c = turned(c, k0, k1);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

}  // namespace

void draw_mask_on_device(const PhiloxRow& first, float keep, const Tensor& mask) {
  const int64_t cols = mask.size(1), rows_at_once = std::max<int64_t>(1, kMaskChunk / cols);
  for (int64_t row = 0; row < mask.size(0); row += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, mask.size(0) - row);
    const Words words =
        words_of(first.key, static_cast<int64_t>(first.high) + row, rows, (cols + 3) / 4, mask.device());
    for (int64_t word = 0; word < std::min<int64_t>(4, cols); ++word) {
      const Tensor out = mask.narrow(0, row, rows).slice(1, word, cols, 4);  // every fourth column
      out.copy_(words[static_cast<size_t>(word)].narrow(1, 0, out.size(1)).ge(int64_t{first.drop_below}));
      out.mul_(keep);
    }
  }
}

}  // namespace ranktide
