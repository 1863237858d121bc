#pragma once
// `ranktide worker list | drain | revoke`, on the coordinator's side. One thread.

#include <functional>
#include <optional>

#include "cli/command.h"

namespace ranktide::cli {

// Adds the words to `worker`. Returns: what carries out the one that was said and returns its exit code, or
// nullopt when none was.
std::function<std::optional<int>()> setup_worker_control(CLI::App& worker, const GlobalOptions& globals);

}  // namespace ranktide::cli
