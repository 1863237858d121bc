#pragma once
// The options of commands that show results: of which axes only the best value. Not what they mean (query.h).

#include <string>
#include <vector>

#include "cli/command.h"

namespace ranktide::cli {

void add_selection_options(CLI::App& command, std::vector<std::string>& select, std::string& select_on,
                           bool& keeps_tuned);

// Outlives: `request`, of a query or a report, must outlive the parsing of `command`.
template <class Request>
void add_selection_options(CLI::App& command, Request& request) {
  add_selection_options(command, request.select, request.select_on, request.keeps_tuned);
}

}  // namespace ranktide::cli
