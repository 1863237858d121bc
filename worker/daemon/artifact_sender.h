#pragma once
// The process that leaves with the coordinator what finished trials left here, adapters and weights, as
// <work folder>/artifacts/<trial>/, and the logs of running ones (log_sender.h). It looks for new ones by
// itself, so that nothing has to be told or remembered: a file <trial>.sent beside an artifact says that it is
// durable there. The worker keeps its own copy. It may be killed at any time; the next one goes on. Checkpoints
// stay where they are.

#include <filesystem>
#include <vector>

#include "worker/daemon/input_process.h"

namespace ranktide {

// Returns: artifacts that are not known to be at the coordinator, by name.
std::vector<std::filesystem::path> unsent_artifacts(const std::filesystem::path& work_folder);

// Sends until the command pipe ends. Requires: config.bulk_endpoint. Returns: the exit code.
int send_artifacts(const InputProcessConfig& config);

}  // namespace ranktide
