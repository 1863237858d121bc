#pragma once
// Which trials fall behind at a rung (common/sweep/early_stop.h). Decides; what is stopped then is a record.
// Pure.
//
// Compared are trials of one sweep that agree in all settings but the tuned ones and what is derived from them,
// in their seed too, and by one eval: what differs between them is the value that tuning is to choose, at the
// same share of the same budget. Seeds race apart: were they to compete, luck would choose which of a value's
// seeds are left, and their mean would be too good.

#include <optional>
#include <string>

#include "coordinator/core/state.h"

namespace ranktide {

// Returns: a name of those that the trial is compared with. Requires: spec.tune, and trial.race.
std::string race_group(const SweepSpec& spec, const SweepTrial& trial);

// Where a trial stands among those that came to its rung so far.
struct RungStanding {
  int place = 1;  // equal scores share the better one
  int of = 1;
  // It is not of the best eta-th. While fewer than eta have come everybody goes on.
  bool is_behind = false;
};
// Returns: nullopt where the eval is no racer's of the sweep or has no result. A score that is no number comes
// last.
std::optional<RungStanding> standing_at(const State& state, const Sweep& sweep, const EvalId& eval);

}  // namespace ranktide
