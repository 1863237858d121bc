#pragma once
// The live picture of a running sweep as text: a pure function from a frame to lines. Drawing them (cursor,
// clearing) and asking the coordinator for the frame are the caller's.

#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/work.h"

namespace ranktide::cli {

struct LiveUnit {
  std::string label;  // "math lora r=32 all seed 0", "base prose_loss"
  Progress progress;
};

struct LiveFrame {
  std::string sweep;
  int64_t total = 0;  // trials
  int64_t done = 0;   // with a result: completed or diverged
  int64_t failed = 0;
  int64_t diverged = 0;
  std::vector<LiveUnit> running;
  double elapsed_seconds = 0;
  std::optional<double> left_seconds;
  std::string waiting{};  // what fits no slot, and why; empty: nothing
};

// Returns: a headline with the sweep's bar, one line per running unit and what fits no slot, no line longer
// than `width` columns.
std::vector<std::string> draw(const LiveFrame& frame, int width);

// For output that is no terminal: what is worth a line since `before` (a unit that began or reached a quarter,
// what waits for a slot that fits).
std::vector<std::string> news(const LiveFrame& before, const LiveFrame& now);

}  // namespace ranktide::cli
