#pragma once
// The checks of a sweep that was read from a file: those of a spec from the wire (sweep_spec.h), each said at
// the line that it is about. Pure.

#include "common/sweep/sweep_draft.h"

namespace ranktide {

// Checks blocks one by one. What all of several blocks lack is said once. Requires: place.errors is set.
void check_blocks(const SweepDraft& draft, const std::vector<Block>& blocks, const ReadingPlace& place);

// Checks the whole sweep; overrides may have changed it since it was read. Requires: place.errors is set.
// Throws: SpecError for a grid that is too large, before anything is looked at cell by cell.
void check_sweep(const SweepDraft& draft, const SweepSpec& spec, const ReadingPlace& place);

}  // namespace ranktide
