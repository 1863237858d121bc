#include "cli/known_trials.h"

#include <algorithm>
#include <map>
#include <set>

#include "cli/stopped_values.h"
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

// Where trials of the past stand in a grid.
class PlacesInGrid {
 public:
  PlacesInGrid(const Grid& grid, const CellCensus& census)
      : grid_(grid), census_(census), prints_(grid.spec().inputs) {
    for (const uint64_t seed : grid.spec().seeds) seeds_.emplace(seed, std::ssize(seeds_));
  }

  // Returns: the raw index of the grid's own trial; nullopt where it has none.
  std::optional<int64_t> of(const TrialStanding& trial) {
    return trial.settings ? by_settings(trial) : by_id(trial);
  }

 private:
  std::optional<int64_t> by_settings(const TrialStanding& trial) {
    const auto seed = seeds_.find(trial.settings->seed);
    if (seed == seeds_.end()) return std::nullopt;
    const auto is_there = [&](const CellPrint& print) { return census_.find(print).has_value(); };
    const auto print = prints_.find(TrialId{trial.trial}, *trial.settings, is_there);
    if (!print) return std::nullopt;
    const int64_t raw = *census_.find(*print) * std::ssize(grid_.spec().seeds) + seed->second;
    return takes(grid_.spec(), raw) ? std::optional(raw) : std::nullopt;
  }

  // Resolves every trial of the grid, once.
  std::optional<int64_t> by_id(const TrialStanding& trial) {
    if (!raws_) {
      raws_.emplace();
      for (int64_t raw = 0; raw < grid_.raw_count(); ++raw)
        if (const auto own = grid_.at(raw)) raws_->emplace(own->id.text, raw);
    }
    const auto found = raws_->find(trial.trial);
    return found == raws_->end() ? std::nullopt : std::optional(found->second);
  }

  const Grid& grid_;
  const CellCensus& census_;
  CellPrints prints_;
  std::map<uint64_t, int64_t> seeds_;
  std::optional<std::map<std::string, int64_t>> raws_;  // by id
};

// Visits them a page at a time, so that a past of any length fits.
template <class Visit>
void for_each_standing(const Past& past, const Visit& visit) {
  for (const TrialStanding& standing : past.trials) visit(standing);
  if (!past.page_after) return;
  for (std::string after;;) {
    const std::vector<TrialStanding> page = past.page_after(after);
    if (page.empty()) return;
    for (const TrialStanding& standing : page) visit(standing);
    after = page.back().trial;
  }
}

}  // namespace

std::vector<KnownTrial> known_in(const Grid& grid, const CellCensus& census, const Past& past) {
  const SweepSpec& spec = grid.spec();
  StoppedValues stopped(grid);
  PlacesInGrid places(grid, census);
  std::map<size_t, SweepTrial> samples;  // by place of the group: what a fate hangs on is the same in it
  std::vector<KnownTrial> out;
  for_each_standing(past, [&](const TrialStanding& standing) {
    const auto raw = places.of(standing);
    if (!raw) return;
    stopped.add(*raw, standing);
    const size_t group = census.group_of(*raw / std::ssize(spec.seeds));
    auto sample = samples.find(group);
    if (sample == samples.end()) sample = samples.emplace(group, sample_of(grid, census.groups()[group])).first;
    out.push_back({.raw = *raw,
                   .fate = fate_of(sample->second, standing, past.is_served),
                   .left_less = standing.state == "completed" && !standing.keep.empty() &&
                                leaves_less(kept_of(standing), spec.run.keep, sample->second.settings.method)});
  });
  stopped.mark(out);
  std::sort(out.begin(), out.end(), [](const KnownTrial& a, const KnownTrial& b) { return a.raw < b.raw; });
  return out;
}

}  // namespace ranktide::cli
