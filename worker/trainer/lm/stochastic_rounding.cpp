// Compiled with -O3 and once per instruction set, as philox_mask.cpp is. Integers only, so every version gives
// the same bits.

#include "worker/trainer/lm/stochastic_rounding.h"

#include <algorithm>
#include <bit>

#include "worker/trainer/lm/each_isa.h"

namespace ranktide {
namespace {

// bf16 is the upper half of fp32, sign and magnitude: the lower half says how far a magnitude is on its way to
// the next, and a draw of 16 bits carries into the upper half as often as that.
[[gnu::always_inline]] inline uint16_t rounded(float value, uint32_t draw) {
  const uint32_t carried = std::bit_cast<uint32_t>(value) + draw;
  return static_cast<uint16_t>((value == value ? carried : kQuietNan) >> 16);
}

// Requires: the draws do not begin again within these places.
RANKTIDE_FOR_EACH_ISA void round_run(const float* values, uint32_t first, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = rounded(values[i], rounding_draw(first + static_cast<uint32_t>(i)));
}

}  // namespace

void round_stochastically(const float* values, int64_t first, int64_t count, uint16_t* out) {
  for (int64_t done = 0; done < count;) {
    const int64_t place = (first + done) % kRoundingDraws, run = std::min(count - done, kRoundingDraws - place);
    round_run(values + done, static_cast<uint32_t>(place), run, out + done);
    done += run;
  }
}

}  // namespace ranktide
