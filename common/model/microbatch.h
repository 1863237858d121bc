#pragma once
// How many rows are computed at once. A pure function of shape and device class, so that a retry on another
// worker of the same class gives equal bits; it is not fitted to the memory that happens to be free. Here and
// not in the trainer, for who predicts memory must know it too.

#include <optional>

#include "common/model/cost.h"
#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: rows of a micro-batch, in [1, settings.train.batch]: the most whose activations stay within a fixed
// allowance of the device class, evened out over the batch: of 4 rows never 3 and 1.
int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device);

// Returns: rows that are computed at once where a user may have set them by hand (run.microbatch): those, at
// most the batch; else microbatch_rows.
int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device,
                    std::optional<int> by_hand);

// Evals have no batch: their forward passes count as so many rows, and after out of memory hold fewer.
inline constexpr int kEvalMicrobatch = 8;

// Returns: the most that a micro-batch of so many rows holds: every row is full.
StepLoad largest_load(const TrialSettings& settings, int rows);

// Returns: what a trial with such micro-batches is placed by, and so planned by, on slots that multiply bf16
// so: largest_load's peak. A GPU's formula serves for all that take it as it is, cores too: it is more by what
// norms hold for a moment, which is less than 1 %.
int64_t placed_bytes(const TrialSettings& settings, const ModelShape& shape, int rows, Bf16 bf16);

}  // namespace ranktide
