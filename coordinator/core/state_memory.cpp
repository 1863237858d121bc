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

const std::string& kind_of(const Unit& unit) {
  if (unit.memory_kind.empty()) unit.memory_kind = memory_kind(*unit.stage);
  return unit.memory_kind;
}

}  // namespace

// Each unit of a queue is asked for again and again, for each slot that is free: what is hashed for it is kept,
// and nothing is where no kind is known to be too large for the slot.
std::optional<int> State::most_rows(const Unit& unit, const Slot& slot) const {
  if (unit.kind != WorkKind::train || !unit.stage) return std::nullopt;
  const bool is_known_small = std::any_of(rows_left_.begin(), rows_left_.end(), [&](const auto& kind) {
    return std::any_of(kind.second.begin(), kind.second.end(),
                       [&](const auto& entry) { return has_no_more(slot, entry.first); });
  });
  if (!is_known_small) return std::nullopt;
  const auto kind = rows_left_.find(kind_of(unit));
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
  int& rows = rows_left_[kind_of(unit)].try_emplace(size_of(unit.attempt.worker, *slot), left).first->second;
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
