#include "cli/sweep_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <set>

#include "cli/command.h"
#include "cli/inputs.h"
#include "common/sweep/taken_trials.h"
#include "common/sweep/trunk.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

using Standings = std::map<std::string, const TrialStanding*>;

Standings by_trial(const Past& past) {
  Standings out;
  for (const TrialStanding& trial : past.trials) out[trial.trial] = &trial;
  return out;
}

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

Fate fate_of(const SweepTrial& trial, const TrialStanding* standing, bool is_served) {
  if (!standing) return Fate::fresh;
  if (standing->state == "diverged") return Fate::done;
  if (standing->state == "completed") {
    if (!lacks_evals(trial, *standing)) return Fate::done;
    return leaves_weights(kept_of(*standing), trial.settings.method) ? Fate::evals : Fate::evals_lost;
  }
  if (standing->state == "running" && is_served) return Fate::running;
  return standing->checkpoint_step > 0 ? Fate::resumable : Fate::fresh;
}

std::optional<SweepEstimate> estimate_of(const SweepPlan& plan) {
  SweepEstimate sum;
  sum.trials = std::numeric_limits<int>::max();
  for (size_t i = 0; i < plan.trials.size(); ++i) {
    if (is_trained(plan.fates[i])) continue;
    if (!plan.costs[i]) return std::nullopt;
    const TrialCost& cost = *plan.costs[i];
    sum.slot_seconds += cost.seconds;
    sum.slot_seconds_min += cost.seconds / (1 + cost.spread);
    sum.slot_seconds_max += cost.seconds * (1 + cost.spread);
    sum.memory_bytes = std::max(sum.memory_bytes, cost.memory_bytes);
    sum.kept_bytes += cost.disk.kept;
    sum.checkpoint_bytes = std::max(sum.checkpoint_bytes, cost.disk.checkpoints);
    sum.basis = std::min(sum.basis, cost.basis);
    sum.trials = std::min(sum.trials, cost.trials);
    sum.is_same_shape = sum.is_same_shape && cost.is_same_shape;
    sum.spread = std::max(sum.spread, cost.spread);
  }
  if (sum.basis != TimeBasis::trials || plan.left() == 0) sum.trials = 0;  // they rest on none
  return sum;
}

void add_to(CostRange& range, const TrialCost& cost) {
  range.seconds_min = std::min(range.seconds_min, cost.seconds);
  range.seconds_max = std::max(range.seconds_max, cost.seconds);
  range.memory_bytes_min = std::min(range.memory_bytes_min, cost.memory_bytes);
  range.memory_bytes_max = std::max(range.memory_bytes_max, cost.memory_bytes);
  range.slot_seconds += cost.seconds;
  range.spread = std::max(range.spread, cost.spread);
  range.kept_bytes += cost.disk.kept;
  range.basis = std::min(range.basis, cost.basis);
}

template <class T>
void keep_places(std::vector<T>& all, const std::vector<size_t>& places) {
  std::vector<T> out;
  for (const size_t place : places) out.push_back(std::move(all[place]));
  all = std::move(out);
}

// Fills in what is said of its trials as a whole.
void count_up(SweepPlan& plan) {
  const Grid grid(plan.spec);
  plan.blocks = grid.counts();
  plan.warnings = warnings_of(grid, plan.blocks);
  plan.sharing = sharing_text(shared_work(grid));
  plan.not_kept = std::count(plan.left_less.begin(), plan.left_less.end(), true);
}

}  // namespace

std::string word_of(Fate fate) {
  switch (fate) {
    case Fate::done:
      return "done";
    case Fate::evals:
      return "evals";
    case Fate::evals_lost:
      return "evals_lost";
    case Fate::running:
      return "running";
    case Fate::resumable:
      return "resumable";
    case Fate::fresh:
      return "new";
  }
  return "";
}

bool is_trained(Fate fate) {
  return fate == Fate::done || fate == Fate::evals || fate == Fate::evals_lost;
}

int64_t SweepPlan::count(Fate fate) const {
  return std::count(fates.begin(), fates.end(), fate);
}

int64_t SweepPlan::left() const {
  return std::count_if(fates.begin(), fates.end(), [](Fate fate) { return !is_trained(fate); });
}

Past past_of(const fs::path& data_folder) {
  if (!fs::exists(database_file(data_folder))) return {};
  const Reader reader(data_folder);
  return {.trials = trials_after(reader, "", std::numeric_limits<int64_t>::max()),
          .measured = measured_trials(reader)};
}

PreparedSweep prepared(SweepSpec spec, const std::string& file, const ContentSources& sources) {
  InputsRead read = read_inputs(spec, sources);
  if (!read.refused.empty()) throw SpecError(fmt::format("{}: {}", file, fmt::join(read.refused, "\n       ")));
  spec.inputs = read.inputs;
  return {.spec = std::move(spec),
          .read = std::move(read.inputs),
          .unreadable = std::move(read.unreadable),
          .elsewhere = std::move(read.elsewhere)};
}

void require_inputs(const PreparedSweep& sweep) {
  if (sweep.unreadable.empty()) return;
  throw CommandError(kUsage, fmt::format("{}\nhint: paths in a sweep file are relative to its folder",
                                         fmt::join(sweep.unreadable, "\n       ")));
}

SweepPlan plan_of(PreparedSweep sweep, const Past& past) {
  SweepPlan plan{.spec = std::move(sweep.spec), .unreadable = std::move(sweep.unreadable)};
  const Grid grid(plan.spec);
  const Standings standings = by_trial(past);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    auto trial = grid.at(raw);
    if (!trial) continue;
    const auto known = standings.find(trial->id.text);
    const TrialStanding* standing = known == standings.end() ? nullptr : known->second;
    plan.fates.push_back(fate_of(*trial, standing, past.is_served));
    plan.left_less.push_back(standing && standing->state == "completed" && !standing->keep.empty() &&
                             leaves_less(kept_of(*standing), plan.spec.run.keep, trial->settings.method));
    plan.trials.push_back(*std::move(trial));
  }
  count_up(plan);
  predict(plan, past, std::nullopt, 1);
  return plan;
}

void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads,
             ComputedOn on) {
  const Timing timing = timing_of(table, threads, past.measured, plan.spec.inputs, on);
  plan.costs = costs_of(plan.trials, plan.spec.inputs, timing, plan.spec.run);
  plan.estimate = estimate_of(plan);
}

void take_only(SweepPlan& plan, const std::vector<int64_t>& raw) {
  std::vector<size_t> places;
  for (size_t i = 0; i < plan.trials.size(); ++i)
    if (std::binary_search(raw.begin(), raw.end(), plan.trials[i].index)) places.push_back(i);
  RT_CHECK(places.size() == raw.size());
  keep_places(plan.trials, places);
  keep_places(plan.fates, places);
  keep_places(plan.costs, places);
  keep_places(plan.left_less, places);
  plan.spec.taken = ranges_of(raw);
  count_up(plan);
  plan.estimate = estimate_of(plan);
}

std::optional<CostRange> cost_range(const SweepPlan& plan, const std::string& block) {
  RT_CHECK(plan.costs.size() == plan.trials.size());
  std::optional<CostRange> range;
  for (size_t i = 0; i < plan.trials.size(); ++i) {
    if (plan.trials[i].blocks.front() != block) continue;
    if (!plan.costs[i]) return std::nullopt;
    const TrialCost& cost = *plan.costs[i];
    if (!range)
      range = CostRange{.seconds_min = cost.seconds,
                        .seconds_max = cost.seconds,
                        .memory_bytes_min = cost.memory_bytes,
                        .memory_bytes_max = cost.memory_bytes};
    add_to(*range, cost);
  }
  return range;
}

}  // namespace ranktide::cli
