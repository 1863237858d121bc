#pragma once
// Rows of a data set -> the batches of every optimizer step. Where text becomes rows is common/text's business;
// how a batch is computed is the engine's. A pure function of (rows, seed, batch, micro-batch, step): a resume
// needs no cursor but the step, and a smaller budget is a prefix of a larger one. One thread at a time.

#include <memory>

#include "common/text/data_index.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/train/batch.h"

namespace ranktide {

// Returns: the source of a trial's steps: step s holds the rows at positions [(s - 1) * batch, s * batch) of
// the trial's endless order (rows.h), cut into micro-batches of `microbatch` rows; the last may have fewer.
// Requires: data holds rows; microbatch >= 1.
BatchSource step_batches(std::shared_ptr<const Dataset> data, const TrialSettings& settings, int microbatch);

}  // namespace ranktide
