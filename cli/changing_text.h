#pragma once
// Shows a text that changes: in the place of the one before on a terminal, elsewhere again below it when it is
// another. Not what the text says. One thread.

#include <ostream>
#include <string>

#include "cli/terminal.h"

namespace ranktide::cli {

class ChangingText {
 public:
  // Outlives: `out` must outlive it.
  ChangingText(std::ostream& out, Terminal terminal) : out_(out), terminal_(terminal) {}

  // text: lines, each with its newline. On a terminal a line is cut where the screen ends, for one that wraps
  // could not be taken back, and so are the lines that do not fit it, for what scrolled away could not either;
  // the last says how many.
  void show(const std::string& text);
  // What is shown stays where it is; the next text comes below it.
  void leave() { shown_.clear(); }

 private:
  std::ostream& out_;
  Terminal terminal_;
  std::string shown_;
};

}  // namespace ranktide::cli
