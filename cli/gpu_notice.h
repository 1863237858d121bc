#pragma once
// What a worker's operator must know of slots that are GPUs while no trainer has ever computed on a real one.
// Goes when one has. Pure; any thread.

#include <string>
#include <vector>

#include "common/vocabulary/protocol.h"

namespace ranktide::cli {

// Returns: the warning of a start; empty where no slot is a GPU.
std::string gpu_notice(const std::vector<Slot>& slots);

}  // namespace ranktide::cli
