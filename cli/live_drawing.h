#pragma once
// Shows frame after frame of a running sweep on standard error: redrawn in place on a terminal, plain lines
// elsewhere, nothing when quiet. What a frame looks like is live_view.h's. One thread.

#include "cli/command.h"
#include "cli/live_view.h"
#include "cli/terminal.h"

namespace ranktide::cli {

class LiveDrawing {
 public:
  explicit LiveDrawing(const GlobalOptions& globals);

  void show(const LiveFrame& frame);
  // Prints a line above the picture.
  void say(const std::string& line);
  // Leaves the last picture standing.
  void close();

 private:
  void erase();

  Terminal terminal_;
  bool quiet_;
  LiveFrame shown_;
  size_t drawn_lines_ = 0;
};

}  // namespace ranktide::cli
