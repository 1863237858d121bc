#pragma once
// How many rows are computed at once. A pure function of shape and device class, so that a retry on another
// worker of the same class gives equal bits; it is not fitted to the memory that happens to be free. Here and
// not in the trainer, for who predicts memory must know it too.

#include "common/model/cost.h"
#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Summation order, and so the last bits of a result, may differ between device classes.
enum class DeviceClass { cpu };

// Returns: rows of a micro-batch, in [1, settings.train.batch]: the most whose activations stay within a fixed
// allowance of the device class, evened out over the batch: of 4 rows never 3 and 1.
int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device);

// Returns: the most that a micro-batch of so many rows holds: every row is full.
StepLoad largest_load(const TrialSettings& settings, int rows);

}  // namespace ranktide
