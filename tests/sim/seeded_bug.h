#pragma once
// Which bug this run of the simulator plants: from RANKTIDE_SEED_BUG, or set by a test. One at a time.

#include <string>

namespace ranktide::sim {

void plant_bug(const std::string& name);  // empty: none

}  // namespace ranktide::sim
