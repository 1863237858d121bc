#pragma once
// What stays of a finished trial, as PEFT and transformers read it: an adapter folder or a full model folder.
// Appears whole or not at all. The engine thread.

#include <filesystem>
#include <vector>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"

namespace ranktide {

// Throws: WorkError when `keep` asks for a form that does not exist for the method.
void require_keepable(Method method, Keep keep);

// Writes `folder` as `keep` asks: adapters are kept by all but `none`, full weights by `weights` and
// `checkpoints`; the latter has what `checkpoints` (of the stage, most steps first) hold, too, as
// checkpoints/<step>/. Throws: ModelError, TrainError or filesystem_error when it cannot be written.
void keep_artifact(const Model& model, Method method, Keep keep,
                   const std::vector<std::filesystem::path>& checkpoints, const std::filesystem::path& folder);

}  // namespace ranktide
