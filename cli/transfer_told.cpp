#include "cli/transfer_told.h"

#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <unistd.h>

namespace ranktide::cli {
namespace {

constexpr int kBarColumns = 20;

std::string size_told(int64_t bytes) {
  return bytes_text(static_cast<double>(bytes));
}

// The end of a path says more than its beginning.
std::string end_of(const std::string& path, int columns) {
  const auto room = static_cast<size_t>(std::max(columns, 1));
  if (path.size() <= room) return path;
  size_t begin = path.size() - room + 1;
  while (begin < path.size() && (path[begin] & 0xc0) == 0x80) ++begin;  // within a character
  return "…" + path.substr(begin);
}

}  // namespace

std::string transfer_text(const Terminal& terminal, const std::string& doing, const std::string& path,
                          int64_t here, int64_t total) {
  const std::string sizes = fmt::format("{} of {}", size_told(here), size_told(total));
  if (!terminal.is_terminal) return here < total ? "" : fmt::format("{} {} {}\n", doing, path, sizes);
  const double share = total > 0 ? static_cast<double>(here) / static_cast<double>(total) : 1;
  const size_t taken = doing.size() + kBarColumns + sizes.size() + 5;  // with the blanks between them
  return fmt::format("\r\x1b[K{} {}  {}  {}{}", doing, end_of(path, terminal.width - static_cast<int>(taken)),
                     bar_text(share, kBarColumns), sizes, here < total ? "" : "\n");
}

TransferTold told_on_terminal(const GlobalOptions& globals, const std::string& doing) {
  const Terminal terminal = terminal_of(STDERR_FILENO, globals.color);
  const auto say = [quiet = globals.quiet](const std::string& line) {
    if (!quiet) std::cerr << line << "\n";
  };
  const auto moved = [terminal, doing, quiet = globals.quiet](const std::string& path, int64_t here,
                                                              int64_t total) {
    if (!quiet) std::cerr << transfer_text(terminal, doing, path, here, total) << std::flush;
  };
  return {.say = say, .moved = moved};
}

}  // namespace ranktide::cli
