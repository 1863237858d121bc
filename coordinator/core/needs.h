#pragma once
// What a slot must have before a unit is placed on it: memory, labels, a GPU. Not which unit goes first
// (scheduler.h), and nothing about a worker's files (state_refusals.cpp). Pure; any thread.

#include "coordinator/core/state.h"

namespace ranktide {

// Returns: what a trial with these settings holds at its peak, with as many rows at once as its trainer will
// compute: `microbatch`, set by hand, or its own choice. An eval leased by itself is taken to hold its base's
// weights and no more. All 0, unknown, where the client sent no shape or one that no model has.
PredictedMemory predicted_memory(const Inputs& inputs, const TrialSettings& settings,
                                 std::optional<int> microbatch = {});

// Returns: whether the slot has what one sweep asks for. What is admitted for `predicted_bytes` counts where
// the sweep names no memory of its own; 0 is unknown and fits, and so does a slot of unknown memory.
bool has(const Slot& slot, const SlotNeeds& needs, int64_t predicted_bytes);

// Returns: what is predicted for a unit on this slot: a stage as it trains there, an eval leased by itself as
// it reads.
int64_t predicted_bytes(WorkKind kind, const PredictedMemory& memory, const Slot& slot);

// Returns: what counts of it for a unit that runs where the weights lie that it needs. No label: that would
// choose the worker. Of an eval nothing: what a sweep asks for is for its training.
SlotNeeds needs_of_bound(WorkKind kind, SlotNeeds asked);

// Returns: whether this slot of the worker has what every sweep that wants the unit asks for: at its home,
// where the weights lie that it needs, what of that counts; anywhere else all of it. A trunk fits no slot where
// it would be granted fewer rows than its own (microbatches.h).
bool fits(const State& state, const Unit& unit, const WorkerName& worker, const Slot& slot);

// Returns: whether any slot of the worker, taken or free, fits.
bool fits_somewhere(const State& state, const Unit& unit, const Worker& worker);

}  // namespace ranktide
