#pragma once
// --extend: one sweep that lists what an earlier revision lists and what a changed file adds. Its ids are those
// of the two, and it lists no trial that neither of them does. Pure.

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: `spec` with the old trials that it does not list: old blocks that hold any stand behind its own,
// under their names where these are free, else as `lora.r1`. Seeds are united and `taken` says which trials are
// meant; policy is the new spec's, and what both list keeps its labels. Extending by the same file again gives
// the same spec. Requires: the inputs of both have been read. Throws: SpecError where no one sweep lists both:
// a file that changed under its name, or a search at random that draws other cells.
SweepSpec extended(const SweepSpec& old, SweepSpec spec);

}  // namespace ranktide
