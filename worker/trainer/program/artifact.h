#pragma once
// What stays of a finished trial: an adapter folder as PEFT reads it, a full model folder as transformers does,
// or how that differs from the base (weight_delta.h). Appears whole or not at all. The engine thread.

#include <filesystem>
#include <vector>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"

namespace ranktide {

// Writes `folder` as `keep` asks. Of LoRA the adapter is kept by all but `none`: it is itself the difference to
// the base. Of full finetuning `weights` and `checkpoints` keep the weights, `delta` their difference.
// `checkpoints` has what the folders of that name (of the stage, most steps first) hold, too, as
// checkpoints/<step>/. Throws: ModelError, TrainError or filesystem_error when it cannot be written. Requires:
// the model was trained by the stage.
void keep_artifact(const Model& model, const Stage& stage, Keep keep,
                   const std::vector<std::filesystem::path>& checkpoints, const std::filesystem::path& folder);

}  // namespace ranktide
