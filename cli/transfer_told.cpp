#include "cli/transfer_told.h"

#include <fmt/format.h>
#include <iostream>
#include <unistd.h>

#include "cli/terminal.h"

namespace ranktide::cli {

TransferTold told_on_terminal(const GlobalOptions& globals, const std::string& doing) {
  const Terminal terminal = terminal_of(STDERR_FILENO, globals.color);
  const auto say = [quiet = globals.quiet](const std::string& line) {
    if (!quiet) std::cerr << line << "\n";
  };
  const auto moved = [terminal, doing, quiet = globals.quiet](const std::string& path, int64_t here,
                                                              int64_t total) {
    if (quiet || (!terminal.is_terminal && here < total)) return;
    const std::string line = fmt::format("{} {} {} of {}", doing, path, bytes_text(static_cast<double>(here)),
                                         bytes_text(static_cast<double>(total)));
    std::cerr << (terminal.is_terminal ? "\r\x1b[K" : "") << line << (here < total ? "" : "\n") << std::flush;
  };
  return {.say = say, .moved = moved};
}

}  // namespace ranktide::cli
