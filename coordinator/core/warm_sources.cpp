#include "coordinator/core/warm_sources.h"

#include <algorithm>

#include "common/sweep/grid.h"
#include "common/sweep/spec_error.h"
#include "common/sweep/warm_start.h"

namespace ranktide {
namespace {

bool is_hash(const std::string& id) {
  constexpr size_t kDigits = 64;
  return id.size() == kDigits && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Ids become names of files, and what a client sends may be anything.
bool can_be(const SourceInput& source) {
  return is_hash(source.trial.text) && is_hash(source.stage.text) && source.step > 0 &&
         (!source.weights || is_hash(source.weights->text));
}

// What a unit that has ended still shows of the trial; the rest was compared with the journal (query_source.h).
bool is_of(const SourceInput& source, const Unit& unit) {
  return !unit.is_trunk() && unit.base == source.base && unit.tokenizer_sha256 == source.tokenizer_sha256 &&
         unit.model.dtype == source.dtype;
}

bool is_shelved(const SourceInput& source, const std::set<TrialId>& shelved) {
  return shelved.contains(source.trial) && (!source.weights || shelved.contains(*source.weights));
}

// Nothing is trained here but what a finished trial left: one that is still queued would have to be waited for.
std::string why_not(const SourceInput& source, const Unit* unit, const std::set<TrialId>& shelved) {
  if (!unit || unit->kind != WorkKind::train || !is_of(source, *unit)) return "is no trial of this coordinator";
  if (unit->life != UnitLife::completed)
    return "is " + std::string(text_of(unit->life)) + "; a trial starts from one that has completed";
  if (unit->kept == Keep::none && !is_shelved(source, shelved))
    return "has left no weights: run.keep of its sweep kept none (adapters, of LoRA, weights or delta do), or "
           "its worker was forgotten and the coordinator has no copy";
  return "";
}

bool has_result(const Unit* unit) {
  return unit && (unit->life == UnitLife::completed || unit->life == UnitLife::diverged);
}

// Whether something is to start from it that has no result yet.
bool is_waited_for(const State& state, const SourceInput& source, const StartingStages& starting) {
  const auto named = starting.find(source.stage);
  return named != starting.end() &&
         std::any_of(named->second.begin(), named->second.end(),
                     [&](const StageId& stage) { return !has_result(state.find_unit(unit_of(stage))); });
}

}  // namespace

StartingStages starting_in(const SweepSpec& spec) {
  for (const auto& [from, source] : spec.inputs.sources)
    if (!can_be(source)) throw SpecError(std::string(kSourceKey) + ": " + from + " is no trial's id and step");
  StartingStages out;
  if (std::none_of(spec.blocks.begin(), spec.blocks.end(), names_source)) return out;
  const Grid grid(spec);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (const auto trial = grid.at(raw); trial && trial->start)
      out[trial->start->stage].push_back(trial->stage);
  return out;
}

std::string source_refusal(const State& state, const SweepSpec& spec, const StartingStages& starting,
                           const std::set<TrialId>& shelved) {
  for (const auto& [from, source] : spec.inputs.sources) {
    if (!is_waited_for(state, source, starting)) continue;
    const std::string why = why_not(source, state.find_unit(unit_of(source.stage)), shelved);
    if (!why.empty()) return std::string(kSourceKey) + ": " + from + " " + why;
  }
  return "";
}

std::vector<AwaySource> away_sources(const State& state, const SweepSpec& spec, const StartingStages* starting,
                                     const std::set<TrialId>& shelved) {
  std::vector<AwaySource> out;
  for (const auto& [from, source] : spec.inputs.sources) {
    if (starting && !is_waited_for(state, source, *starting)) continue;
    if (is_shelved(source, shelved)) continue;
    const Unit* unit = state.find_unit(unit_of(source.stage));
    if (!unit || unit->kept == Keep::none) continue;
    const Worker* worker = state.find_worker(unit->attempt.worker);
    if (!worker || !worker->is_joined) out.push_back({from, unit->attempt.worker});
  }
  return out;
}

bool leaves_weights(Keep keep, Method method) {
  return keep != Keep::none && (keep != Keep::adapters || method == Method::lora);
}

WorkerName home_of(const State& state, const WarmStart& start) {
  const Unit* source = state.find_unit(unit_of(start.stage));
  return source && source->kept != Keep::none ? source->attempt.worker : WorkerName{};
}

}  // namespace ranktide
