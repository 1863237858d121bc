#include "coordinator/core/needs.h"

#include <algorithm>

#include "common/model/admitted_bytes.h"
#include "common/model/microbatch.h"
#include "common/sweep/identity.h"
#include "common/vocabulary/seeded_bug.h"
#include "coordinator/core/microbatches.h"

namespace ranktide {
namespace {

constexpr const char* kCpu = "cpu";  // Slot::device of a share of cores

constexpr int64_t kWidthMax = int64_t{1} << 20;
constexpr int64_t kLayersMax = int64_t{1} << 12;
constexpr int64_t kVocabularyMax = int64_t{1} << 26;

bool is_between(int64_t n, int64_t most) {
  return n >= 1 && n <= most;
}

// A shape comes over the wire; beyond these bounds, which no model comes near, products would leave int64.
bool is_plausible(const ModelShape& s) {
  return is_between(s.hidden, kWidthMax) && is_between(s.ffn, kWidthMax) && is_between(s.layers, kLayersMax) &&
         is_between(s.vocabulary, kVocabularyMax) && is_between(s.heads, kWidthMax) &&
         is_between(s.kv_heads, s.heads) && is_between(s.head_dim, kWidthMax) &&
         is_between(s.heads * s.head_dim, kWidthMax);
}

// Of cores nothing is taken for granted.
bool multiplies_bf16_as_it_is(const Slot& slot) {
  return slot.device != kCpu || slot.widens_bf16 == false;
}

std::optional<int64_t> as_it_is_bytes(const TrialSettings& settings, const ModelShape& shape, int rows) {
  if (settings.model.dtype != Dtype::bf16) return std::nullopt;
  return placed_bytes(settings, shape, rows, Bf16::as_it_is);
}

int64_t weight_bytes(const ModelShape& shape, Dtype dtype) {
  return parameters_of(shape).total * (dtype == Dtype::bf16 ? 2 : 4);
}

}  // namespace

PredictedMemory predicted_memory(const Inputs& inputs, const TrialSettings& settings,
                                 std::optional<int> microbatch) {
  const auto model = inputs.models.find(model_key(settings.model));
  if (model == inputs.models.end() || !model->second.shape || !is_plausible(*model->second.shape)) return {};
  const ModelShape& shape = *model->second.shape;
  const int rows = microbatch_rows(shape, settings, DeviceClass::cpu, microbatch);
  return {.train_bytes = placed_bytes(settings, shape, rows, Bf16::widened),
          .forward_bytes = weight_bytes(shape, settings.model.dtype),
          .microbatch = rows,
          .as_it_is_bytes = as_it_is_bytes(settings, shape, rows)};
}

bool has(const Slot& slot, const SlotNeeds& needs, int64_t predicted_bytes) {
  const int64_t bytes = needs.memory_bytes.value_or(admitted_bytes(predicted_bytes));
  if (slot.memory_bytes > 0 && slot.memory_bytes < bytes) return false;
  if (needs.gpus > 0 && slot.device == kCpu) return false;
  return std::all_of(needs.labels.begin(), needs.labels.end(), [&](const std::string& label) {
    return std::find(slot.labels.begin(), slot.labels.end(), label) != slot.labels.end();
  });
}

int64_t predicted_bytes(WorkKind kind, const PredictedMemory& memory, const Slot& slot) {
  if (kind != WorkKind::train) return memory.forward_bytes;
  return multiplies_bf16_as_it_is(slot) ? memory.as_it_is_bytes.value_or(memory.train_bytes)
                                        : memory.train_bytes;
}

SlotNeeds needs_of_bound(WorkKind kind, SlotNeeds asked) {
  if (kind == WorkKind::evaluate) return {};
  asked.labels.clear();
  return asked;
}

// Each part as the most demanding sweep asks for it, for a unit runs once for all of them.
bool fits(const State& state, const Unit& unit, const WorkerName& worker, const Slot& slot) {
  if (seeded_bug("any_slot")) return true;
  // Nothing goes on from what is not exact (Coordinator::finish), so that fewer rows would be computed in vain.
  if (unit.is_trunk() && microbatch_to_grant(state, unit, slot) > 0) return false;
  const int64_t predicted = predicted_bytes(unit.kind, memory_in_force(state, unit), slot);
  const bool is_at_home = unit.home == worker;  // a worker has a name
  return std::all_of(unit.wanted.begin(), unit.wanted.end(), [&](const auto& wish) {
    const SlotNeeds& asked = state.sweeps().at(wish.first).run.needs;
    return has(slot, is_at_home ? needs_of_bound(unit.kind, asked) : asked, predicted);
  });
}

bool fits_somewhere(const State& state, const Unit& unit, const Worker& worker) {
  return std::any_of(worker.slots.begin(), worker.slots.end(),
                     [&](const Slot& slot) { return fits(state, unit, worker.name, slot); });
}

}  // namespace ranktide
