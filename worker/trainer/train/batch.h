#pragma once
// What the trainer is fed: token ids, cut into steps and micro-batches by whoever reads the data. Plain values.

#include <cstdint>
#include <functional>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

inline constexpr int32_t kNoLabel = -100;  // a position without loss

// The packed rows of one micro-batch, end to end, without padding.
// Requires: targets.size() == tokens.size() > 0; segment_ends rises and its last is tokens.size(). Attention
// and positions restart at every segment: a document, or its part in a row.
struct Batch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> targets;  // the id that follows, or kNoLabel
  std::vector<int32_t> segment_ends;
};

struct StepBatch {
  std::vector<Batch> micro;  // gradients add up over these; each token weighs 1 / labelled tokens of the step
  int64_t tokens = 0;        // real tokens of the step, labelled or not
};

// Returns: the data of optimizer step `s` (1 is the first). A function of the step only, so a resume needs no
// cursor but the step.
using BatchSource = std::function<StepBatch(Step s)>;

}  // namespace ranktide
