#pragma once
// Reproducible chance. SplitMix64 is a small stream for shuffles and generators; Philox4x32-10 (Salmon et al.
// 2011) is a pure function of (key, counter) for dropout and initialisation, so that a resume needs no
// generator state. std's distributions are not used: they differ between libraries.

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/vocabulary/check.h"

namespace ranktide {

class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Returns: uniform in [0, bound), without modulo bias. Requires: bound > 0.
  uint64_t below(uint64_t bound) {
    RT_CHECK(bound > 0);
    const uint64_t reject_below = (0 - bound) % bound;
    for (;;) {
      const uint64_t draw = next();
      if (draw >= reject_below) return draw % bound;
    }
  }

  // Returns: uniform in [0, 1), 53 bits.
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Fisher and Yates, from the back.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  uint64_t state_;
};

// Returns: a well mixed key made of several numbers, for seeding streams that must not be correlated.
inline uint64_t mix(uint64_t a, uint64_t b) {
  return SplitMix64{SplitMix64{a}.next() ^ (b * 0xd1342543de82ef95ULL)}.next();
}

struct Philox {
  uint64_t key = 0;

  // Returns: four uniform 32-bit words for this counter.
  std::array<uint32_t, 4> operator()(uint64_t low, uint64_t high) const {
    std::array<uint32_t, 4> c{static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32),
                              static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32)};
    uint32_t k0 = static_cast<uint32_t>(key);
    uint32_t k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
      c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
           static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return c;
  }
};

}  // namespace ranktide
