#pragma once
// Rounding of fp32 to bf16 that keeps the mean: a value goes to the bf16 number below or above it, to the one
// above as likely as it is far from the one below (stochastic rounding; Gupta et al. 2015, section 3). Here the
// draw belongs to the place of the value and not to the moment, as a dither's does: equal values round alike
// every time, so that nothing needs a state, and a value on its way from one bf16 number to the next changes
// once. Pure; no LibTorch.

#include <cstdint>

namespace ranktide {

// So many draws there are; places share them in turn. Few enough for a device to hold them all, and a prime: so
// rows whose values share a draw in the same columns are as many rows apart.
inline constexpr int64_t kRoundingDraws = 4'194'301;

// Numbers of `lowbias32`, a hash of 32 bits (C. Wellons' hash prospector), and where it begins: it takes 0 to
// 0.
struct RoundingHash {
  uint32_t start = 0x9e3779b9, first = 0x7feb352d, second = 0x846ca68b;
};

// Returns: the draw of a place, uniform in [0, 2^16): the hash's upper half, which its last step leaves alone.
// Requires: place in [0, kRoundingDraws).
inline uint32_t rounding_draw(uint32_t place) {
  constexpr RoundingHash hash;
  uint32_t x = place + hash.start;
  x = (x ^ (x >> 16)) * hash.first;
  x = (x ^ (x >> 15)) * hash.second;
  return x >> 16;
}

inline constexpr uint32_t kQuietNan = 0x7fc00000;  // what any NaN becomes: a carry could make a number of it

// Rounds `count` values, whose places are first, first + 1 ... , to bf16 by its bits. What bf16 holds stays as
// it is; NaN becomes bf16's.
void round_stochastically(const float* values, int64_t first, int64_t count, uint16_t* out);

}  // namespace ranktide
