#pragma once
// What a running coordinator looks like from outside: plain values, copied out of the turn's thread a few times
// a second. For eyes and health checks only; whoever decides by it decides on the past. Results are read from
// the store.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/router.h"
#include "coordinator/edge/turn_measures.h"

namespace ranktide {

struct SweepPicture {
  SweepNumber number = 0;
  std::string name;
  std::string owner;
  int revision = 1;
  int64_t trials_listed = 0;
  bool is_listed = false;  // every trial of the grid has been listed
  bool is_over = false;    // nothing more will happen for this revision
  bool is_cancelled = false;
  LifeCounts stages{};      // by UnitLife, but for those stopped early
  int64_t stopped_early = 0;
  LifeCounts eval_units{};  // evals leased by themselves
  int64_t evals_finished = 0;
};
struct WorkerPicture {
  WorkerName name;
  bool is_joined = false;
  int slots = 0;
  int running = 0;               // units
  std::optional<Pulse> pulse{};  // of one that is joined
};

struct LivePicture {
  uint64_t epoch = 0;
  uint64_t records = 0;  // committed by this process
  uint64_t points = 0;
  RouterCounters link;
  TurnMeasures measures;
  std::vector<SweepPicture> sweeps;  // all of the folder, by number
  std::vector<WorkerPicture> workers;
  std::vector<Progress> progress;  // of running attempts
};

// Returns: a picture of what the core knows; what the shell counts (records, points, link, measures) is left at
// 0.
LivePicture picture_of(const Coordinator& coordinator);

}  // namespace ranktide
