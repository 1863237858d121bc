#include "coordinator/core/warm_sources.h"

#include <map>

#include "common/sweep/grid.h"
#include "common/sweep/warm_start.h"

namespace ranktide {
namespace {

// Nothing is trained here but what a finished trial left: one that is still queued would have to be waited for.
std::string why_not(const Unit* source) {
  if (!source || source->kind != WorkKind::train) return "is no trial of this coordinator";
  if (source->life != UnitLife::completed)
    return "is " + std::string(text_of(source->life)) + "; a trial starts from one that has completed";
  if (source->kept == Keep::none)
    return "has left no weights: run.keep of its sweep kept none (adapters, of LoRA, weights or delta do), or "
           "its worker was forgotten";
  return "";
}

bool has_result(const Unit* unit) {
  return unit && (unit->life == UnitLife::completed || unit->life == UnitLife::diverged);
}

}  // namespace

std::string source_refusal(const State& state, const SweepSpec& spec) {
  std::map<StageId, std::string> gone;
  for (const auto& [from, source] : spec.inputs.sources)
    if (const std::string why = why_not(state.find_unit(unit_of(source.stage))); !why.empty())
      gone.emplace(source.stage, from + " " + why);
  if (gone.empty()) return "";
  const Grid grid(spec);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial || !trial->start || has_result(state.find_unit(unit_of(trial->stage)))) continue;
    if (const auto found = gone.find(trial->start->stage); found != gone.end())
      return std::string(kSourceKey) + ": " + found->second;
  }
  return "";
}

bool leaves_weights(Keep keep, Method method) {
  return keep != Keep::none && (keep != Keep::adapters || method == Method::lora);
}

WorkerName home_of(const State& state, const WarmStart& start) {
  const Unit* source = state.find_unit(unit_of(start.stage));
  return source && source->kept != Keep::none ? source->attempt.worker : WorkerName{};
}

}  // namespace ranktide
