#pragma once
// The options of commands that show results: of which axes only the best value. Not what they mean (query.h).

#include <string>
#include <vector>

#include "cli/command.h"

namespace ranktide::cli {

// Outlives: `select` and `keeps_tuned` must outlive the parsing of `command`.
void add_selection_options(CLI::App& command, std::vector<std::string>& select, bool& keeps_tuned);

}  // namespace ranktide::cli
