#pragma once
// A whole training by the oracle: its gradients, and clipping and AdamW written out, all in fp64. What a
// training of the engine is compared with.

#include <vector>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/network.h"
#include "worker/trainer/train/batch.h"

namespace ranktide::oracle {

// Returns: the loss of each of the first `steps` steps, before its update, of a training from `start`, of which
// nothing is changed. Requires: the rate is constant from the first step on; decay_rule is times_lr; each
// micro-batch has a label.
std::vector<double> training_losses(const Network& start, const ModelShape& shape,
                                    const TrialSettings& settings, const BatchSource& batches, Step steps);

}  // namespace ranktide::oracle
