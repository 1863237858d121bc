#pragma once
// Which of a grid's trials a spec takes: runs of raw indices, since the seeds of a cell and the cells of a
// block stand side by side. Expands nothing. Pure.

#include <cstdint>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: whether the spec takes the trial of this raw index, should the grid have one there.
bool takes(const SweepSpec& spec, int64_t raw);

// Returns: the shortest list of ranges with exactly these indices. Requires: rising, none twice.
std::vector<TrialRange> ranges_of(const std::vector<int64_t>& raw);

// Throws: SpecError unless the ranges are rising, apart, not empty and within `raw_count` trials.
void check_taken(const std::vector<TrialRange>& taken, int64_t raw_count);

}  // namespace ranktide
