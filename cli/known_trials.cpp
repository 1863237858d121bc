#include "cli/known_trials.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/sweep/taken_trials.h"
#include "common/sweep/trial_values.h"
#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

Keep kept_of(const TrialStanding& standing) {
  return enum_of<Keep>(standing.keep).value_or(Keep::none);
}

// Adapters are LoRA's; of full finetuning nothing smaller than the weights, or what makes them, is kept.
bool leaves_weights(Keep kept, Method method) {
  return kept != Keep::none && (kept != Keep::adapters || method == Method::lora);
}

bool leaves_less(Keep kept, Keep wanted, Method method) {
  return (leaves_weights(wanted, method) && !leaves_weights(kept, method)) ||
         (wanted == Keep::weights && kept == Keep::delta && method == Method::full) ||
         (wanted == Keep::checkpoints && kept != wanted);
}

// Of the weights at its end: those of before are gone when a trial has finished.
bool lacks_evals(const SweepTrial& trial, const TrialStanding& standing) {
  if (trial.eval_at.empty() || trial.eval_at.back() != trial.steps) return false;
  const std::set<std::string> done(standing.evals.begin(), standing.evals.end());
  return std::any_of(trial.evals.begin(), trial.evals.end(),
                     [&](const EvalTask& task) { return !done.contains(task.spec_id.substr(0, kEvalDigits)); });
}

Fate fate_of(const SweepTrial& trial, const TrialStanding& standing, bool is_served) {
  if (standing.state == "diverged") return Fate::done;
  if (standing.state == "completed") {
    if (!lacks_evals(trial, standing)) return Fate::done;
    return leaves_weights(kept_of(standing), trial.settings.method) ? Fate::evals : Fate::evals_lost;
  }
  if (standing.state == "running" && is_served) return Fate::running;
  return standing.checkpoint_step > 0 ? Fate::resumable : Fate::fresh;
}

using KnownPlaces = std::vector<std::pair<int64_t, const TrialStanding*>>;  // by raw index

KnownPlaces compared_by_id(const Grid& grid, const Past& past) {
  std::map<std::string, const TrialStanding*> standings;
  for (const TrialStanding& trial : past.trials) standings[trial.trial] = &trial;
  KnownPlaces out;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    if (const auto known = standings.find(trial->id.text); known != standings.end())
      out.emplace_back(raw, known->second);
  }
  return out;
}

KnownPlaces looked_for_by_settings(const Grid& grid, const CellCensus& census, const Past& past) {
  const SweepSpec& spec = grid.spec();
  std::map<uint64_t, int64_t> seeds;
  for (const uint64_t seed : spec.seeds) seeds.emplace(seed, std::ssize(seeds));
  KnownPlaces out;
  for (const TrialStanding& trial : past.trials) {
    const auto seed = seeds.find(trial.settings->seed);
    if (seed == seeds.end()) continue;
    const auto print = print_in(spec.inputs, TrialId{trial.trial}, *trial.settings);
    const auto cell = print ? census.find(*print) : std::nullopt;
    if (!cell) continue;
    const int64_t raw = *cell * std::ssize(spec.seeds) + seed->second;
    if (takes(spec, raw)) out.emplace_back(raw, &trial);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool tells_settings(const Past& past) {
  return std::all_of(past.trials.begin(), past.trials.end(),
                     [](const TrialStanding& trial) { return trial.settings.has_value(); });
}

}  // namespace

std::vector<KnownTrial> known_in(const Grid& grid, const CellCensus& census, const Past& past) {
  if (past.trials.empty()) return {};
  const SweepSpec& spec = grid.spec();
  std::map<size_t, SweepTrial> samples;  // by place of the group: what a fate hangs on is the same in it
  std::vector<KnownTrial> out;
  for (const auto& [raw, standing] :
       tells_settings(past) ? looked_for_by_settings(grid, census, past) : compared_by_id(grid, past)) {
    const size_t group = census.group_of(raw / std::ssize(spec.seeds));
    auto sample = samples.find(group);
    if (sample == samples.end())
      sample = samples.emplace(group, grid.at(census.groups()[group].sample).value()).first;
    out.push_back(
        {.raw = raw,
         .fate = fate_of(sample->second, *standing, past.is_served),
         .left_less = standing->state == "completed" && !standing->keep.empty() &&
                      leaves_less(kept_of(*standing), spec.run.keep, sample->second.settings.method)});
  }
  return out;
}

}  // namespace ranktide::cli
