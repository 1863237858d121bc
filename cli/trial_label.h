#pragma once
// A trial in the few words that tell it from its neighbours.

#include <string>

#include "common/sweep/grid.h"

namespace ranktide::cli {

// Returns: such as "math lora r=32 all seed 0".
std::string label_of(const SweepTrial& trial);

}  // namespace ranktide::cli
