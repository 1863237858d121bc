#include "cli/makespan.h"

#include <algorithm>
#include <queue>

#include "common/model/admitted_bytes.h"
#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

std::vector<int64_t> bytes_of_slots(const RunPolicy& run, const SlotsThere& there) {
  std::vector<int64_t> out;
  for (const Slot& slot : there.slots)
    if (is_asked_for(run, slot)) out.push_back(slot.memory_bytes);
  return out;
}

struct Jobs {  // so many alike
  double seconds = 0;
  int64_t bytes = 0;
  int64_t count = 0;
};

struct FreeSlot {
  double at = 0;
  int64_t bytes = 0;
  bool operator>(const FreeSlot& other) const { return at > other.at; }
};

// Requires: every job fits a slot.
double seconds_on(std::vector<Jobs> all, const std::vector<int64_t>& slots) {
  std::sort(all.begin(), all.end(), [](const Jobs& a, const Jobs& b) { return a.seconds > b.seconds; });
  std::priority_queue<FreeSlot, std::vector<FreeSlot>, std::greater<>> free;
  for (const int64_t bytes : slots) free.push({.at = 0, .bytes = bytes});
  double end = 0;
  std::vector<FreeSlot> too_small;
  for (const Jobs& jobs : all) {
    for (int64_t job = 0; job < jobs.count; ++job) {
      while (free.top().bytes < jobs.bytes) {
        too_small.push_back(free.top());
        free.pop();
      }
      FreeSlot slot = free.top();
      free.pop();
      slot.at += jobs.seconds;
      end = std::max(end, slot.at);
      free.push(slot);
    }
    for (const FreeSlot& small : too_small) free.push(small);
    too_small.clear();
  }
  return end;
}

void leave_out(Unplaced& unplaced, const PlannedGroup& group, int64_t bytes) {
  unplaced.trials += group.trials;
  unplaced.memory_bytes = std::max(unplaced.memory_bytes, bytes);
  for (const std::string& block : group.blocks)
    if (std::find(unplaced.blocks.begin(), unplaced.blocks.end(), block) == unplaced.blocks.end())
      unplaced.blocks.push_back(block);
}

}  // namespace

Makespan makespan_of(const SweepPlan& plan, const SlotsThere& there) {
  RT_CHECK(plan.estimate.has_value());
  const std::vector<int64_t> slots = bytes_of_slots(plan.spec.run, there);
  Makespan out{.slots = static_cast<int64_t>(slots.size()), .unplaced = {.lacks_slots = slots.empty()}};
  out.unplaced.slot_bytes_max = slots.empty() ? 0 : *std::max_element(slots.begin(), slots.end());
  std::vector<Jobs> jobs;
  double longest = 0;  // a branch begins when its trunk has ended, so that it is no faster than alone
  for (const PlannedGroup& group : plan.groups) {
    if (is_trained(group.fate)) continue;
    const int64_t bytes = plan.spec.run.needs.memory_bytes.value_or(admitted_bytes(group.cost->memory_bytes));
    if (slots.empty() || bytes > out.unplaced.slot_bytes_max)
      leave_out(out.unplaced, group, bytes);
    else {
      jobs.push_back({.seconds = group.seconds(), .bytes = bytes, .count = group.trials});
      longest = std::max(longest, group.cost->seconds + (group.scouts > 0 ? group.cost->rung_seconds : 0));
    }
  }
  if (!jobs.empty()) out.seconds = std::max(seconds_on(std::move(jobs), slots), longest);
  return out;
}

}  // namespace ranktide::cli
