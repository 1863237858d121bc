#pragma once
// Whether trials are evaluated at their last step, where results are compared and values of tuned axes are
// chosen: `eval.at` may have moments before it alone. Not the steps themselves (resolve.h). Says what a file
// says by itself: where a moment's place hangs on the data, or on a budget that is derived, it may be the last
// step. Pure functions.

#include <optional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: that tuned axes have values which nothing will tell apart, and what to write; nullopt where there
// are none. It is no part of validate(): journals hold sweeps of before.
std::optional<std::string> last_eval_refusal(const SweepSpec& spec);

// Returns: a warning for each block whose results will never be complete.
std::vector<std::string> last_eval_warnings(const SweepSpec& spec);

}  // namespace ranktide
