#pragma once
// The learning rate as a pure function of the step, so a resume needs no state of it.

#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: the rate of optimizer step `step`, the first being 1, of a run of `total` steps.
// Warmup rises linearly and reaches lr at its last step; then constant, linear or cosine to lr * final_lr at
// step `total`, or (wsd) flat until the cooldown, which falls linearly to lr * final_lr at step `total`.
// Requires: 1 <= step <= total.
double lr_at(const TrainSettings& settings, Step step, Step total);

}  // namespace ranktide
