#include "cli/terminal.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ranktide::cli {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

bool wants_color(bool is_terminal, const std::string& setting) {
  if (setting == "always") return true;
  if (setting == "never" || is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE")) return true;
  const char* term = std::getenv("TERM");
  return is_terminal && term && std::string_view(term) != "dumb";
}

}  // namespace

Terminal terminal_of(int descriptor, const std::string& setting) {
  Terminal t;
  const char* term = std::getenv("TERM");
  t.is_terminal = isatty(descriptor) == 1 && term && std::string_view(term) != "dumb";
  t.color = wants_color(t.is_terminal, setting);
  winsize size{};
  if (!t.is_terminal || ioctl(descriptor, TIOCGWINSZ, &size) != 0) return t;
  if (size.ws_col > 20) t.width = size.ws_col;
  t.height = size.ws_row;
  return t;
}

// Eighths of a column, so that a short bar still moves.
std::string bar_text(double share, int columns) {
  static const char* const kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * columns * 8 + 0.5);
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  out += kParts[eighths % 8];
  for (int i = (eighths + 7) / 8; i < columns; ++i) out += "·";
  return out;
}

std::string count_text(double count) {
  if (count >= 999'950) return fmt::format("{:.1f}M", count / 1e6);
  if (count >= 1000) return fmt::format("{:.1f}k", count / 1e3);
  return fmt::format("{:.0f}", count);
}

}  // namespace ranktide::cli
