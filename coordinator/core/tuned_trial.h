#pragma once
// What tuning has to know of a listed trial to judge its values by their results: where those are found in the
// state, not the results themselves. A part of state.h.

#include <cstdint>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

struct TunedEval {  // at the trial's last step
  std::string name;
  EvalRole role = EvalRole::learn;
  EvalId own;
  EvalId base;  // the same eval of the untouched base
};

struct TunedTrial {
  int64_t index = 0;           // raw
  std::vector<double> values;  // of the tuned axes, beside Tuning::axes
  UnitId unit;
  CellId cell;
  std::vector<TunedEval> evals;
};

}  // namespace ranktide
