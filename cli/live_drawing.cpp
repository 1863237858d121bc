#include "cli/live_drawing.h"

#include <iostream>
#include <unistd.h>

namespace ranktide::cli {

LiveDrawing::LiveDrawing(const GlobalOptions& globals)
    : terminal_(terminal_of(STDERR_FILENO, globals.color)), quiet_(globals.quiet) {}

void LiveDrawing::show(const LiveFrame& frame) {
  const LiveFrame before = std::exchange(shown_, frame);
  if (quiet_) return;
  if (!terminal_.is_terminal) {
    for (const std::string& line : news(before, frame)) std::cerr << line << "\n";
    return;
  }
  erase();
  const auto lines = draw(frame, terminal_.width, terminal_.height);
  for (const std::string& line : lines) std::cerr << line << "\n";
  drawn_lines_ = lines.size();
  std::cerr.flush();
}

void LiveDrawing::erase() {
  for (size_t i = 0; i < drawn_lines_; ++i) std::cerr << "\x1b[1A\x1b[2K";
  drawn_lines_ = 0;
}

void LiveDrawing::say(const std::string& line) {
  if (terminal_.is_terminal) erase();
  std::cerr << line << "\n";
}

void LiveDrawing::close() {
  drawn_lines_ = 0;
}

}  // namespace ranktide::cli
