#pragma once
// Rows of a dropout mask out of Philox4x32-10 (random.h), many counters at once: the same draws as one after
// the other, by vector instructions where the machine has them. Pure; no LibTorch.

#include <cstdint>

namespace ranktide {

struct PhiloxRow {
  uint64_t key = 0;
  uint64_t high = 0;        // of the counter; element i is word i % 4 of the counter (i / 4, high)
  uint32_t drop_below = 0;  // elements whose word is below are 0, the others `keep`
};

// Writes the row's first `count` elements.
void philox_mask(const PhiloxRow& row, int64_t count, float keep, float* out);
void philox_mask(const PhiloxRow& row, int64_t count, uint16_t keep, uint16_t* out);  // bf16 by its bits

}  // namespace ranktide
