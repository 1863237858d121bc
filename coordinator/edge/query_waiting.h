#pragma once
// What of a sweep fits no slot of the workers that are here, and what it lacks there, or whom it waits for: why
// nothing runs. Not what waits for its turn. Reads only.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct WaitingUnits {
  int64_t trials = 0;
  int64_t evals = 0;  // leased by themselves
  // What they need of a slot. Bytes: of the least and of the most demanding; 0: unknown.
  int64_t memory_bytes_min = 0;
  int64_t memory_bytes_max = 0;
  std::vector<std::string> labels;
  int gpus = 0;
  int64_t slots = 0;  // of workers that are here; where some have the weights that all of it needs, theirs
  int64_t slot_bytes_max = 0;
  std::string message;  // the same for people
};
template <class Ar>
void fields(Ar& ar, WaitingUnits& w) {
  ar("trials", w.trials)("evals", w.evals)("memory_bytes_min", w.memory_bytes_min);
  ar("memory_bytes_max", w.memory_bytes_max)("labels", w.labels)("gpus", w.gpus)("slots", w.slots);
  ar("slot_bytes_max", w.slot_bytes_max)("message", w.message);
}

// Returns: what is listed, wanted and ready and fits nowhere or, where all fits, what waits for a worker that
// is not here and has the weights that it needs; nullopt when there is none of either, and while no worker is
// here. Requires: called in a snapshot; the sweep exists and is neither cancelled nor stopped.
std::optional<WaitingUnits> waiting_units(const Reader& reader, const std::string& sweep);

}  // namespace ranktide
