#pragma once
// What the standard streams are, and how much may be drawn on them.

#include <string>

namespace ranktide::cli {

struct Terminal {
  bool is_terminal = false;  // may be redrawn in place
  bool color = false;
  int width = 80;
  int height = 0;  // rows; 0: not known, and nothing is cut to them
};

// Returns: what `descriptor` is. Colour: `setting` always or never decides; auto obeys NO_COLOR, TERM=dumb,
// CLICOLOR_FORCE and whether it is a terminal.
Terminal terminal_of(int descriptor, const std::string& setting);

// Returns: a bar of so many columns, filled by that share to an eighth of a column.
std::string bar_text(double share, int columns);
// Returns: 0:42, 12:05, 3:10:00.
std::string duration_text(double seconds);
// Returns: 950, 12.3k, 4.5M.
std::string count_text(double count);
// Returns: 1.9 GiB, 300 MiB; below that KiB, rounded up.
std::string bytes_text(double bytes);

}  // namespace ranktide::cli
