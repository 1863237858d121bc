#include "cli/changing_text.h"

#include <algorithm>
#include <sstream>
#include <vector>

namespace ranktide::cli {
namespace {

constexpr const char* kEraseLineAbove = "\x1b[1A\x1b[2K";

// Never in the middle of a character: the bytes of one that follow its first are 10xxxxxx.
std::string cut_line(const std::string& line, size_t width) {
  if (line.size() <= width) return line;
  while (width > 0 && (static_cast<unsigned char>(line[width]) & 0xc0U) == 0x80U) --width;
  return line.substr(0, width);
}

std::vector<std::string> lines_in(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The cursor stands in a row of its own below them.
void cut_rows(std::vector<std::string>& lines, int height) {
  const size_t rows_max = static_cast<size_t>(std::max(1, height - 1));
  if (height == 0 || lines.size() <= rows_max) return;
  const size_t more = lines.size() - rows_max + 1;
  lines.resize(rows_max);
  lines.back() = "... and " + std::to_string(more) + " more lines";
}

std::string cut_to(const std::string& text, const Terminal& screen) {
  std::vector<std::string> lines = lines_in(text);
  cut_rows(lines, screen.height);
  std::string out;
  for (const std::string& line : lines)
    out += cut_line(line, static_cast<size_t>(std::max(1, screen.width))) + "\n";
  return out;
}

}  // namespace

void ChangingText::show(const std::string& text) {
  const std::string now = terminal_.is_terminal ? cut_to(text, terminal_) : text;
  if (now == shown_) return;
  if (terminal_.is_terminal)
    for (auto line = std::count(shown_.begin(), shown_.end(), '\n'); line > 0; --line) out_ << kEraseLineAbove;
  out_ << now << std::flush;
  shown_ = now;
}

}  // namespace ranktide::cli
