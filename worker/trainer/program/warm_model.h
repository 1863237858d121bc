#pragma once
// The model that a stage begins with: its base as it is or, where the trial starts from another one
// (common/sweep/warm_start.h), with what that left on this machine. A checkpoint of the stage itself, which
// comes later, takes its place (train/trainer.h). The engine thread.

#include <memory>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/program/work_folders.h"
#include "worker/trainer/program/work_inputs.h"

namespace ranktide {

// Returns: what the stage's adapter lies on, or its full weights are compared with: the model's own weights;
// for an adapter that started from full weights, or from an adapter on such, those. `model` is the stage's, as
// it is found here. Throws: as WorkInputs; LastingError when those weights are not here.
std::shared_ptr<const Base> base_under(const Stage& stage, const ModelSettings& model,
                                       const WorkFolders& folders, WorkInputs& inputs);

// Returns: whether what first_model reads of the trial that the stage starts from is here.
bool is_source_here(const Stage& stage, const WorkFolders& folders);

// Returns: the model at the stage's step 0, on its base_under. Throws: ModelError; LastingError when what it
// starts from is not here.
Model first_model(const std::shared_ptr<const Base>& base, const Stage& stage, const WorkFolders& folders);

}  // namespace ranktide
