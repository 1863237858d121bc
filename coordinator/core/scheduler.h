#pragma once
// What a free slot should do next: a pure look at the state. It decides nothing for good; the coordinator
// records it.
//
// Order: sweeps by priority, then by how few slots their owner uses, then age; in a sweep the evals of the
// untouched base, then stages (each followed by evals leased by themselves on its weights) in the order of the
// file. Base evals come first because every gain and every forgetting is measured from them, they are short,
// and a broken eval file should show before hours of training. A grid is touched one index at a time, and only
// when a slot would stay idle otherwise.

#include <optional>
#include <variant>

#include "coordinator/core/deadlines.h"
#include "coordinator/core/state.h"

namespace ranktide {

struct NothingFits {};
struct ListNext {  // touch this sweep's next index, then ask again
  SweepNumber sweep = 0;
};
struct RunUnit {
  UnitId unit;
};
using Pick = std::variant<NothingFits, ListNext, RunUnit>;

// held_back: units whose back-off time has not passed, each with its end.
Pick pick(const State& state, const WorkerName& worker, const Deadlines<UnitId>& held_back);

// Returns: the lowest index of a slot that no running lease uses; nullopt when all are taken.
std::optional<int> free_slot(const State& state, const Worker& worker);

// Returns: what a grant of this unit hands over, with the evals that `attempt` was asked to run.
Work work_of(const State& state, const Unit& unit);

// Returns: the policy for a unit that several sweeps want: the longest lease, the most retries, the most kept,
// the most frequent checkpoints, exactness if any asks for it. Requires: somebody wants it.
RunPolicy policy_of(const State& state, const Unit& unit);

}  // namespace ranktide
