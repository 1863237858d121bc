#pragma once
// The memory of one pass over a micro-batch: what it keeps from its forward to its backward pass, and what it
// holds for the moment. It follows worker/trainer/lm frame by frame; a test compares it with the arenas. Pure.
// Letters: T tokens of a micro-batch, S of a segment, d hidden, f ffn, r rank, V vocabulary.

#include "common/model/cost.h"

namespace ranktide {

// Bytes of the two arenas of a pass (worker/trainer/lm/arena.h), each at its fullest. What is below 1 % of the
// whole is left out.
struct PassBytes {
  double kept = 0;     // from the forward pass to the backward pass
  double scratch = 0;  // the larger of the loss and the backward pass of one block
};
// Defaults: cores that widen bf16, which take more memory than others: who predicts does not always know what
// will compute.
PassBytes pass_bytes(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load,
                     Bf16 bf16 = Bf16::widened, DeviceClass device = DeviceClass::cpu);

}  // namespace ranktide
