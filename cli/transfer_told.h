#pragma once
// How people are told of files that move between here and a coordinator. One thread.

#include <cstdint>
#include <functional>
#include <string>

#include "cli/command.h"
#include "cli/terminal.h"

namespace ranktide::cli {

struct TransferTold {
  std::function<void(const std::string& line)> say;
  std::function<void(const std::string& path, int64_t here, int64_t total)> moved;  // bytes; also at the end
};

// Returns: what to write as a file moves: on a terminal a line with a bar, in place of the one before and no
// wider than a screen of 60 columns or more; elsewhere a line at the file's end, and "" before.
std::string transfer_text(const Terminal& terminal, const std::string& doing, const std::string& path,
                          int64_t here, int64_t total);

// doing: "sending", "fetching".
// Returns: what tells it on standard error: redrawn in place on a terminal, else one line a file.
TransferTold told_on_terminal(const GlobalOptions& globals, const std::string& doing);

}  // namespace ranktide::cli
