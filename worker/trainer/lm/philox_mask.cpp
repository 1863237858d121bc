// Compiled with -O3 and once per instruction set: plain loops over lanes that the compiler turns into vectors.
// Integers only, so every version draws the same bits.

#include "worker/trainer/lm/philox_mask.h"

#include <algorithm>
#include <array>

#include "worker/trainer/lm/each_isa.h"

namespace ranktide {
namespace {

constexpr size_t kLanes = 32;  // counters at once
using Lanes = std::array<uint32_t, kLanes>;

// One round of random.h's Philox on every lane.
[[gnu::always_inline]] inline void turn(std::array<Lanes, 4>& c, uint32_t k0, uint32_t k1) {
  for (size_t i = 0; i < kLanes; ++i) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0][i];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2][i];
    c[0][i] = static_cast<uint32_t>(p1 >> 32) ^ c[1][i] ^ k0;
    c[1][i] = static_cast<uint32_t>(p1);
    c[2][i] = static_cast<uint32_t>(p0 >> 32) ^ c[3][i] ^ k1;
    c[3][i] = static_cast<uint32_t>(p0);
  }
}

[[gnu::always_inline]] inline std::array<Lanes, 4> draw(const PhiloxRow& row, uint64_t low) {
  std::array<Lanes, 4> c;
  for (size_t i = 0; i < kLanes; ++i) {
    c[0][i] = static_cast<uint32_t>(low + i);
    c[1][i] = static_cast<uint32_t>((low + i) >> 32);
    c[2][i] = static_cast<uint32_t>(row.high);
    c[3][i] = static_cast<uint32_t>(row.high >> 32);
  }
  auto k0 = static_cast<uint32_t>(row.key), k1 = static_cast<uint32_t>(row.key >> 32);
  for (int round = 0; round < 10; ++round) {
    turn(c, k0, k1);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

template <class T>
[[gnu::always_inline]] inline void fill(const PhiloxRow& row, int64_t count, T keep, T* out) {
  constexpr auto kBlock = static_cast<int64_t>(4 * kLanes);
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const std::array<Lanes, 4> words = draw(row, static_cast<uint64_t>(begin / 4));
    std::array<uint32_t, 4 * kLanes> in_order;
    for (size_t i = 0; i < kLanes; ++i)
      for (size_t j = 0; j < 4; ++j) in_order[4 * i + j] = words[j][i];
    std::array<T, 4 * kLanes> block;
    for (size_t i = 0; i < 4 * kLanes; ++i) block[i] = in_order[i] < row.drop_below ? T{0} : keep;
    std::copy_n(block.begin(), std::min(kBlock, count - begin), out + begin);
  }
}

}  // namespace

RANKTIDE_FOR_EACH_ISA void philox_mask(const PhiloxRow& row, int64_t count, float keep, float* out) {
  fill(row, count, keep, out);
}
RANKTIDE_FOR_EACH_ISA void philox_mask(const PhiloxRow& row, int64_t count, uint16_t keep, uint16_t* out) {
  fill(row, count, keep, out);
}

}  // namespace ranktide
