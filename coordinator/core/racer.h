#pragma once
// A trial at a rung, as early stopping (common/sweep/early_stop.h) looks it up when that rung's eval has its
// result. A part of state.h.

#include <string>

#include "common/vocabulary/ids.h"

namespace ranktide {

struct Racer {
  StageId stage;
  std::string group;  // of those that it is compared with (race.h)
  int rung = 1;       // counted from 1
  Step at = 0;
};

}  // namespace ranktide
