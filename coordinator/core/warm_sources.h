#pragma once
// Trials that start from what others left (common/sweep/warm_start.h): whether that is there, and where. Pure;
// any thread.

#include <string>

#include "coordinator/core/state.h"

namespace ranktide {

// Returns: a trial that the spec names to start from and that cannot be, with the reason; empty: each can, or
// nothing is to start from it any more.
std::string source_refusal(const State& state, const SweepSpec& spec);

// Returns: whether an attempt that was told to keep `keep` leaves weights to go on from, or to evaluate later.
bool leaves_weights(Keep keep, Method method);

// Returns: the worker whose disk has what `start` begins with; empty when that was lost since, so that whoever
// gets the trial says so.
WorkerName home_of(const State& state, const WarmStart& start);

}  // namespace ranktide
