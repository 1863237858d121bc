// The part of State that remembers for which trainings memory was too little, and where.

#include <algorithm>
#include <iterator>

#include "coordinator/core/microbatches.h"

namespace ranktide {
namespace {

SlotSize size_of(const WorkerName& worker, const Slot& slot) {
  return {.worker = worker, .is_gpu = slot.device != "cpu", .memory_bytes = slot.memory_bytes};
}

// What does not fit a slot fits none of its kind with as little; of one whose memory is not known only those
// are like it.
bool has_no_more(const Slot& slot, const SlotSize& than) {
  return (slot.device != "cpu") == than.is_gpu && (slot.memory_bytes == 0) == (than.memory_bytes == 0) &&
         slot.memory_bytes <= than.memory_bytes;
}

}  // namespace

std::optional<int> State::most_rows(const Unit& unit, const Slot& slot) const {
  if (rows_left_.empty() || unit.kind != WorkKind::train || !unit.stage) return std::nullopt;
  const auto kind = rows_left_.find(memory_kind(*unit.stage));
  if (kind == rows_left_.end()) return std::nullopt;
  std::optional<int> most;
  for (const auto& [where, rows] : kind->second)
    if (has_no_more(slot, where)) most = std::min(most.value_or(rows), rows);
  return most;
}

// Half of what was too much; a single row is all that can be tried again.
void State::take_out_of_memory(const Unit& unit) {
  const Slot* slot = slot_of_attempt(*this, unit);
  if (unit.kind != WorkKind::train || !slot) return;
  const int left = std::max(1, microbatch_of_attempt(unit) / 2);
  int& rows =
      rows_left_[memory_kind(*unit.stage)].try_emplace(size_of(unit.attempt.worker, *slot), left).first->second;
  rows = std::min(rows, left);
}

// A machine that is gone says little of those that are left, and names that come once (one for each job of a
// cluster) would pile up for good. Who restarts a worker may have made room.
void State::forget_memory_of(const WorkerName& worker) {
  for (auto kind = rows_left_.begin(); kind != rows_left_.end();) {
    std::erase_if(kind->second, [&](const auto& entry) { return entry.first.worker == worker; });
    kind = kind->second.empty() ? rows_left_.erase(kind) : std::next(kind);
  }
}

}  // namespace ranktide
