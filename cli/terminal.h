#pragma once
// What the standard streams are, and how much may be drawn on them.

#include <string>

#include "common/vocabulary/readable.h"  // times and sizes

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
// Returns: 950, 12.3k, 4.5M.
std::string count_text(double count);

}  // namespace ranktide::cli
