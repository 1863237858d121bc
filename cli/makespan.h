#pragma once
// How long a plan's trials take on the slots that are there, and which fit none of them. Longest first, each to
// the slot that is free first: within a third of the best that any order can do (Graham 1969). The
// coordinator's order is its own; this is for people. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/sweep_plan.h"
#include "common/vocabulary/protocol.h"

namespace ranktide::cli {

struct SlotsThere {
  std::vector<Slot> slots;
  bool are_workers = false;  // of a coordinator's workers; else of this machine
};

struct Unplaced {
  int64_t trials = 0;
  std::vector<std::string> blocks;
  int64_t memory_bytes = 0;    // of the largest
  int64_t slot_bytes_max = 0;  // of the slots with all else that run.needs asks for
  bool lacks_slots = false;    // there is none of those
};

struct Makespan {
  int64_t slots = 0;  // that take part
  double seconds = 0;
  Unplaced unplaced;
};

// Of the trials that are not trained. Requires: plan.estimate.
Makespan makespan_of(const SweepPlan& plan, const SlotsThere& there);

}  // namespace ranktide::cli
