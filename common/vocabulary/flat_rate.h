#pragma once
// Where a wsd schedule stops being flat. One formula for the trainer's rate (train/schedule.cpp) and for who
// plans which trials share their beginnings (common/sweep/trunk.h). Pure.

#include <algorithm>

#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: the last step before the cooldown of a run of `total` steps, which never begins before the warmup
// ends.
inline Step flat_until(const TrainSettings& settings, Step total) {
  const Step warmup = std::min(settings.warmup.of(total), total);
  return total - std::min(settings.cooldown.of(total), total - warmup);
}

}  // namespace ranktide
