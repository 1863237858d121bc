#include "cli/changing_text.h"

#include <algorithm>
#include <sstream>

namespace ranktide::cli {
namespace {

constexpr const char* kEraseLineAbove = "\x1b[1A\x1b[2K";

// Never in the middle of a character: the bytes of one that follow its first are 10xxxxxx.
std::string cut_line(const std::string& line, size_t width) {
  if (line.size() <= width) return line;
  while (width > 0 && (static_cast<unsigned char>(line[width]) & 0xc0U) == 0x80U) --width;
  return line.substr(0, width);
}

std::string cut_to(const std::string& text, int width) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    out += cut_line(line, static_cast<size_t>(std::max(1, width))) + "\n";
  return out;
}

}  // namespace

void ChangingText::show(const std::string& text) {
  const std::string now = terminal_.is_terminal ? cut_to(text, terminal_.width) : text;
  if (now == shown_) return;
  if (terminal_.is_terminal)
    for (auto line = std::count(shown_.begin(), shown_.end(), '\n'); line > 0; --line) out_ << kEraseLineAbove;
  out_ << now << std::flush;
  shown_ = now;
}

}  // namespace ranktide::cli
