#pragma once
// The workers that a data folder has known, newest join first: where they stand, and how many units run on
// them. Durable facts only: how long ago one was heard is not among them. Reads only.

#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct WorkerStatus {
  std::string name;
  std::string state;  // as v_worker says it: joined, or why it left
  std::string version;
  std::vector<Slot> slots;
  int64_t running = 0;    // units
  std::string joined_at;  // ISO 8601, UTC
  std::optional<std::string> departed_at;
};
template <class Ar>
void fields(Ar& ar, WorkerStatus& w) {
  ar("worker", w.name)("state", w.state)("version", w.version)("slots", w.slots)("running", w.running);
  ar("joined_at", w.joined_at)("departed_at", w.departed_at);
}

std::vector<WorkerStatus> all_workers(const Reader& reader);

}  // namespace ranktide
