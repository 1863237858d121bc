#pragma once
// Trials that start from what others left (common/sweep/warm_start.h): whether that is there, and where. Pure;
// any thread.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/state.h"

namespace ranktide {

// By the stage of the source.
using StartingStages = std::map<StageId, std::vector<StageId>>;

// Returns: what starts from others. Looks at every cell where any does, so that it takes long.
// Throws: SpecError for a source that no trial can be.
StartingStages starting_in(const SweepSpec& spec);

// Returns: a trial that others are to start from and that they cannot, with the reason; empty: each can, or
// nothing is to start from it any more. `starting` from starting_in(spec). What is `shelved` anybody can fetch,
// also where the worker that left it was forgotten.
std::string source_refusal(const State& state, const SweepSpec& spec, const StartingStages& starting,
                           const std::set<TrialId>& shelved);

// A source whose weights only a worker has that is not joined now.
struct AwaySource {
  std::string from;  // as the spec names it
  WorkerName worker;
};
template <class Ar>
void fields(Ar& ar, AwaySource& s) {
  ar("from", s.from)("worker", s.worker);
}
// Returns: what trials of the spec are to start from and have to wait for. `starting` as above; nullptr:
// whatever the spec names counts. Not of those that are `shelved`: anybody can fetch them.
std::vector<AwaySource> away_sources(const State& state, const SweepSpec& spec, const StartingStages* starting,
                                     const std::set<TrialId>& shelved);

// Returns: whether an attempt that was told to keep `keep` leaves weights to go on from, or to evaluate later.
bool leaves_weights(Keep keep, Method method);

// Returns: the worker whose disk has what `start` begins with; empty when that was lost since, so that whoever
// gets the trial says so.
WorkerName home_of(const State& state, const WarmStart& start);

}  // namespace ranktide
