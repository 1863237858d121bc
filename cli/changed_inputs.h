#pragma once
// Files that kept their names and not their content, and who reads them: why ids are others than they were.
// Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "common/sweep/grid.h"

namespace ranktide::cli {

struct ChangedInput {
  std::string path;
  int64_t trials = 0;     // that train on it: they have other ids
  int64_t evaluated = 0;  // whose evals read it: these are run anew
};

// Returns: those that at least one of the grid's trials reads, by path: they are in its spec's inputs, and were
// others in `from`.
std::vector<ChangedInput> changed_inputs(const Inputs& from, const Grid& grid);

// Returns: `8 trials read it`, `evals of 8 trials read it`.
std::string readers_text(const ChangedInput& input);

}  // namespace ranktide::cli
