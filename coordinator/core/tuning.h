#pragma once
// Which cells tuning adds to a sweep: where every value of a tuned axis has ended and the best stands at the
// axis' end, the next one by the axis' own spacing (`tune: {extend: N}`). Decides; what is added then is a
// record. Not what reports show of tuned axes (edge/query_selection.h), which judges by the same rules. Pure.
//
// A group is what agrees in all settings but the tuned ones and what its block derives from them. A value is
// judged by the mean over its seeds of complete trials; one of which a trial diverged, silently or not, is no
// candidate, so that a divergence bounds the axis. Equal means go to the lower value.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/state.h"

namespace ranktide {

// Returns: the names of the groups that a trial of a sweep with tuned axes is in: one, unless its blocks derive
// other things from them.
std::set<std::string> tuned_groups(const SweepSpec& spec, const SweepTrial& trial);
// Requires: the tuned axes are numbers, as validate() sees to where a sweep may be extended.
TunedTrial tuned_trial(const SweepSpec& spec, const SweepTrial& trial);

// Returns: what the group is to grow by now: a cell for each tuned axis whose best value stands at its end;
// none while a trial of it has not ended, where the axis has grown by all its steps, or where no further value
// can be had. Requires: every trial of the sweep is listed, and sweep.tuned has the group.
std::vector<AddedCell> next_cells(const State& state, const Sweep& sweep, const std::string& group_name);

// Returns: what the first seed of the cell would train; nullopt where a rule of its block forbids it, or a
// derivation refuses its values. Requires: its block is the sweep's.
std::optional<StageId> stage_of(const SweepSpec& spec, const AddedCell& cell);

// Returns: those of `added` that an edited sweep keeps: it tunes and extends the axis still, in a block of that
// name with the same axes, has the cell's values of all other axes, does not itself list the added one or its
// equal, allows it by its rules and derivations, and has room for it. A chosen part of a grid keeps them too,
// though it does not grow.
std::vector<AddedCell> still_fitting(const std::vector<AddedCell>& added, const Grid& grid);

// Returns: the sweep of the added cell alone. Requires: its block is the sweep's.
SweepSpec only_cell(const SweepSpec& spec, const AddedCell& added);

}  // namespace ranktide
