#pragma once
// Rows of tokens that a small model can learn something from, as a pure function of seed and step. No text, no
// file: the check of a machine brings its own data.

#include <cstdint>

#include "worker/trainer/train/batch.h"

namespace ranktide {

// Returns: steps of two micro-batches. Their segments are shorter and longer than a block of attention, some of
// one length; the beginning of each has no label, as a prompt has none. `longest`: tokens of the longest one of
// the first step, for what a long row costs.
BatchSource seeded_lessons(int64_t vocabulary, uint64_t seed, int64_t longest = 70);

}  // namespace ranktide
