#pragma once
// Which files a work reads, out of what clients hashed when they submitted. It only looks names up: whether a
// file is still there is for whoever opens it. Pure; any thread.

#include <vector>

#include "coordinator/core/state.h"

namespace ranktide {

// Paths and hashes of one work, in bytes: a Grant must fit its frame. A folder that would not fit is left out
// and so is read at its path only.
inline constexpr size_t kWorkInputsBytesMax = 512 << 10;

// Returns: the files behind the settings of `work`, as the sweeps that want `unit` know them, each once;
// nothing for a sweep that was submitted before contents were recorded.
std::vector<InputFile> inputs_of(const State& state, const Unit& unit, const Work& work);

}  // namespace ranktide
