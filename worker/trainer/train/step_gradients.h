#pragma once
// The gradients of one optimizer step: its micro-batches one after the other into the model's flat buffer. A
// function of weights, data, settings and the step's number, of nothing that ran before.

#include <cstdint>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/train/batch.h"

namespace ranktide {

// Returns: the labelled tokens of a step.
int64_t labels_of(const StepBatch& data);

// Throws: TrainError when a token is not in the model's vocabulary.
void check_step(const StepBatch& data, Step step, int64_t vocabulary);

// Overwrites the model's gradients. Returns: mean loss over the step's labelled tokens.
// Requires: labels == labels_of(data) > 0; the step was checked.
double gradients_of_step(Model& model, const StepBatch& data, const TrialSettings& settings, Step step,
                         int64_t labels);

}  // namespace ranktide
