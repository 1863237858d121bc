#include "cli/timed_slots.h"

#include <algorithm>
#include <iterator>

namespace ranktide::cli {
namespace {

constexpr const char* kCores = "cpu";
constexpr const char* kSomeGpu = "gpu";

template <class T>
bool is_same_or_untold(const T& a, const T& b) {
  return a == T{} || b == T{} || a == b;
}

bool is_like(const SlotKind& a, const SlotKind& b) {
  if (a.device == kCores)
    return is_same_or_untold(a.processor, b.processor) && is_same_or_untold(a.threads, b.threads);
  return a.device == kSomeGpu || b.device == kSomeGpu || a.device == b.device;
}

bool has_labels(const Slot& slot, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& label) {
    return std::find(slot.labels.begin(), slot.labels.end(), label) != slot.labels.end();
  });
}

}  // namespace

TimedSlots cores_of(const std::string& processor, int threads) {
  TimedSlots out;
  out.kinds.insert(SlotKind{.device = kCores, .processor = processor, .threads = threads});
  return out;
}

SlotKind slot_kind_of(const Slot& slot) {
  if (is_gpu(slot))
    return {.device = slot.model.empty() ? kSomeGpu : slot.model, .processor = "", .threads = 0};
  return {
      .device = kCores, .processor = slot.processor, .threads = slot.threads, .widens_bf16 = slot.widens_bf16};
}

bool TimedSlots::are_like(const SlotKind& kind) const {
  if ((kind.device != kCores) != (on == ComputedOn::gpu)) return false;
  return kinds.empty() ||
         std::any_of(kinds.begin(), kinds.end(), [&](const SlotKind& each) { return is_like(each, kind); });
}

std::optional<int> TimedSlots::threads_on(const std::string& processor) const {
  if (on == ComputedOn::gpu || kinds.size() != 1 || kinds.begin()->processor != processor) return std::nullopt;
  const int threads = kinds.begin()->threads;
  return threads > 0 ? std::optional(threads) : std::nullopt;
}

bool TimedSlots::may_widen_bf16() const {
  return std::any_of(kinds.begin(), kinds.end(),
                     [](const SlotKind& kind) { return kind.widens_bf16 != false; });
}

int TimedSlots::threads_min() const {
  int out = 0;
  for (const SlotKind& kind : kinds)
    if (kind.threads > 0 && (out == 0 || kind.threads < out)) out = kind.threads;
  return std::max(1, out);
}

bool is_gpu(const Slot& slot) {
  return slot.device != kCores;
}

bool is_asked_for(const RunPolicy& run, const Slot& slot) {
  return has_labels(slot, run.needs.labels) && (run.needs.gpus == 0 || is_gpu(slot));
}

TimedSlots timed_slots(const RunPolicy& run, const std::vector<Slot>& there) {
  std::vector<Slot> asked;
  std::copy_if(there.begin(), there.end(), std::back_inserter(asked),
               [&](const Slot& slot) { return is_asked_for(run, slot); });
  const std::vector<Slot>& telling = asked.empty() ? there : asked;
  const bool only_gpus = !telling.empty() && std::all_of(telling.begin(), telling.end(), is_gpu);
  TimedSlots out(run.needs.gpus > 0 || only_gpus ? ComputedOn::gpu : ComputedOn::cpu);
  for (const Slot& slot : asked)
    if (is_gpu(slot) == (out.on == ComputedOn::gpu)) out.kinds.insert(slot_kind_of(slot));
  return out;
}

}  // namespace ranktide::cli
