#pragma once
// Which slots a plan's times are of: whose threads of which processor, or which GPUs. What a slot of another
// kind took tells nothing of theirs, nor do the products of a machine that they are not of. Pure.

#include <compare>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/protocol.h"

namespace ranktide::cli {

// Where a trial would be computed.
enum class ComputedOn { cpu, gpu };

// A kind of slot, as far as times hang on it.
struct SlotKind {
  std::string device;                 // "cpu", or a GPU's model: "gpu" where its maker gave none
  std::string processor;              // of cores, as Slot has it; empty: not told
  int threads = 0;                    // of cores; 0: not told
  std::optional<bool> widens_bf16{};  // of cores, as Slot has it
  friend auto operator<=>(const SlotKind&, const SlotKind&) = default;
};
SlotKind slot_kind_of(const Slot& slot);

struct TimedSlots {
  ComputedOn on = ComputedOn::cpu;
  std::set<SlotKind> kinds{};  // of these; empty: any

  // Not explicit: any that a trial may be computed on.
  TimedSlots(ComputedOn any = ComputedOn::cpu) : on(any) {}

  // Returns: whether what such a slot took tells of these. What was not told may be anything.
  bool are_like(const SlotKind& kind) const;
  // Returns: the threads of each, where all are of this processor's cores and have as many; else nullopt.
  std::optional<int> threads_on(const std::string& processor) const;
  // Returns: whether any turns bf16 into fp32 to multiply it, or may, as nobody told.
  bool may_widen_bf16() const;
  // Returns: of those with the fewest; 1 where none is told.
  int threads_min() const;
};

// Returns: slots of cores, so many threads each.
TimedSlots cores_of(const std::string& processor, int threads);

bool is_gpu(const Slot& slot);
// Returns: whether the slot has all that run.needs asks for but memory, which each trial has its own of.
bool is_asked_for(const RunPolicy& run, const Slot& slot);

// Returns: of the slots that are there those that the sweep's trials would be computed on: GPUs where it needs
// one or only those are there, of the ones that it asks for where any are.
TimedSlots timed_slots(const RunPolicy& run, const std::vector<Slot>& there);

}  // namespace ranktide::cli
