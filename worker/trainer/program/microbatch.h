#pragma once
// How many rows are computed at once. A pure function of shape and device class, so that a retry on another
// worker of the same class gives equal bits; it is not fitted to the memory that happens to be free.

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Summation order, and so the last bits of a result, may differ between device classes.
enum class DeviceClass { cpu };

// Returns: rows of a micro-batch, in [1, settings.train.batch]: the most whose activations stay within a fixed
// allowance of the device class.
int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device);

}  // namespace ranktide
