#pragma once
// How the trainer of a slot is started: its arguments, and the GPU that it sees. Pure.

#include <filesystem>
#include <string>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "worker/daemon/spawn.h"

namespace ranktide {

// Returns: `program serve` on the slot's threads and device, with `more` after its own arguments. The slot's
// GPU is the only one that the trainer sees.
ChildConfig trainer_start(const std::filesystem::path& program, const std::filesystem::path& work_folder,
                          const std::vector<std::string>& more, const Slot& slot);

}  // namespace ranktide
