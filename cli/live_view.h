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
  std::string place{};  // worker and slots, "gpu03:0"; empty: not told
};

struct LiveFrame {
  std::string sweep;
  int64_t total = 0;  // trials
  int64_t done = 0;   // with a result: completed or diverged
  int64_t failed = 0;
  int64_t stopped_early = 0;
  int64_t diverged = 0;
  std::vector<LiveUnit> running;
  double elapsed_seconds = 0;
  std::optional<double> left_seconds;
  std::string waiting{};  // what fits no slot, and why; empty: nothing
  int64_t at_work = 0;    // units on slots: trials, and evals leased by themselves
  int64_t queue = 0;      // units that wait for a slot
  int64_t workers = 0;    // joined
};

// Returns: a headline with the sweep's bar, its queue and the workers, one line per running unit and what fits
// no slot, no line longer than `width` columns. Where these are more than fit a screen of `height` rows above
// the cursor's, fewer units are shown and a line says how many more run. height: 0: any number fits.
std::vector<std::string> draw(const LiveFrame& frame, int width, int height = 0);

// For output that is no terminal: what is worth a line since `before` (a unit that began or reached a quarter,
// an end, a worker that came or went, what waits for a slot that fits).
std::vector<std::string> news(const LiveFrame& before, const LiveFrame& now);

}  // namespace ranktide::cli
