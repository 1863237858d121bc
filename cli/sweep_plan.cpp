#include "cli/sweep_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <set>

#include "cli/inputs.h"
#include "cli/terminal.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct KnownTrials {
  std::set<std::string> done;
  std::set<std::string> resumable;
  std::map<std::string, Keep> kept;  // of the completed ones: what their last attempt was told to leave
};

KnownTrials known_in(const Past& past) {
  KnownTrials known;
  for (const TrialStanding& trial : past.trials) {
    if (trial.state == "completed" || trial.state == "diverged")
      known.done.insert(trial.trial);
    else if (trial.checkpoint_step > 0)
      known.resumable.insert(trial.trial);
    if (!trial.keep.empty() && trial.state == "completed")
      known.kept[trial.trial] = enum_of<Keep>(trial.keep).value_or(Keep::none);
  }
  return known;
}

// Adapters are LoRA's; of full finetuning nothing smaller than the weights is kept.
bool leaves_less(Keep kept, Keep wanted, Method method) {
  const Keep least = method == Method::lora ? Keep::adapters : Keep::weights;
  return (wanted >= least && kept < least) || (wanted == Keep::checkpoints && kept < wanted);
}

std::string equal_text(const BlockCount& block) {
  std::vector<std::string> parts;
  for (const auto& [other, cells] : block.equal_to) parts.push_back(fmt::format("{} of {}", cells, other));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string estimate_text(const SweepEstimate& e, int slots) {
  return fmt::format("estimate  {} on {} slot{} (basis: {}); about {} of memory a trial\n",
                     duration_text(e.slot_seconds / slots), slots, slots == 1 ? "" : "s", phrase_of(e.basis),
                     bytes_text(static_cast<double>(e.memory_bytes)));
}

std::string between_text(const std::string& least, const std::string& most) {
  return least == most ? least : least + " to " + most;
}

std::string range_text(const CostRange& range) {
  return fmt::format("a trial {}, {}",
                     between_text(duration_text(range.seconds_min), duration_text(range.seconds_max)),
                     between_text(bytes_text(static_cast<double>(range.memory_bytes_min)),
                                  bytes_text(static_cast<double>(range.memory_bytes_max))));
}

std::optional<SweepEstimate> estimate_of(const SweepPlan& plan) {
  SweepEstimate sum;
  for (size_t i = 0; i < plan.trials.size(); ++i) {
    if (plan.is_done[i]) continue;
    if (!plan.costs[i]) return std::nullopt;
    sum.slot_seconds += plan.costs[i]->seconds;
    sum.memory_bytes = std::max(sum.memory_bytes, plan.costs[i]->memory_bytes);
    sum.basis = std::min(sum.basis, plan.costs[i]->basis);
  }
  return sum;
}

}  // namespace

Past past_of(const fs::path& data_folder) {
  if (!fs::exists(database_file(data_folder))) return {};
  const Reader reader(data_folder);
  return {.trials = trials_after(reader, "", std::numeric_limits<int64_t>::max()),
          .measured = measured_trials(reader)};
}

SweepPlan make_plan(SweepSpec spec, const std::string& file, const ContentSources& sources, const Past& past) {
  SweepPlan plan{.spec = std::move(spec)};
  InputsRead read = read_inputs(plan.spec, sources);
  plan.spec.inputs = std::move(read.inputs);
  plan.unreadable = std::move(read.unreadable);
  if (!read.refused.empty()) throw SpecError(fmt::format("{}: {}", file, fmt::join(read.refused, "\n       ")));
  const Grid grid(plan.spec);
  plan.blocks = grid.counts();
  plan.warnings = warnings_of(grid, plan.blocks);
  const KnownTrials known = known_in(past);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    plan.trials.push_back(*trial);
    plan.is_done.push_back(known.done.contains(trial->id.text));
    if (plan.is_done.back()) ++plan.done;
    if (const auto kept = known.kept.find(trial->id.text);
        kept != known.kept.end() && leaves_less(kept->second, plan.spec.run.keep, trial->settings.method))
      ++plan.not_kept;
    if (known.resumable.contains(trial->id.text)) ++plan.resumable;
  }
  predict(plan, past, std::nullopt, 1);
  return plan;
}

void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads) {
  const Timing timing = timing_of(table, threads, past.measured, plan.spec.inputs);
  plan.costs = costs_of(plan.trials, plan.spec.inputs, timing, plan.spec.run.microbatch);
  plan.estimate = estimate_of(plan);
}

std::optional<CostRange> cost_range(const SweepPlan& plan, const std::string& block) {
  RT_CHECK(plan.costs.size() == plan.trials.size());
  std::optional<CostRange> range;
  for (size_t i = 0; i < plan.trials.size(); ++i) {
    const auto& blocks = plan.trials[i].blocks;
    if (std::find(blocks.begin(), blocks.end(), block) == blocks.end()) continue;
    if (!plan.costs[i]) return std::nullopt;
    const TrialCost& cost = *plan.costs[i];
    if (!range) range = {cost.seconds, cost.seconds, cost.memory_bytes, cost.memory_bytes};
    range->seconds_min = std::min(range->seconds_min, cost.seconds);
    range->seconds_max = std::max(range->seconds_max, cost.seconds);
    range->memory_bytes_min = std::min(range->memory_bytes_min, cost.memory_bytes);
    range->memory_bytes_max = std::max(range->memory_bytes_max, cost.memory_bytes);
  }
  return range;
}

std::string plan_text(const SweepPlan& plan, int slots) {
  size_t name_width = 5;
  for (const BlockCount& b : plan.blocks) name_width = std::max(name_width, b.block.size());
  std::string out;
  int64_t cells = 0, distinct = 0;
  for (const BlockCount& b : plan.blocks) {
    cells += b.cells, distinct += b.distinct();
    out += fmt::format("{:<{}}  {:>4} cells  {}", b.block, name_width, b.cells, fmt::join(b.axes, " x "));
    if (b.excluded > 0) out += fmt::format("  {} excluded", b.excluded);
    if (!b.equal_to.empty()) out += "  equal: " + equal_text(b);
    if (const auto range = cost_range(plan, b.block)) out += "  " + range_text(*range);
    out += "\n";
  }
  const auto total = static_cast<int64_t>(plan.trials.size());
  out += fmt::format(
      "{:<{}}  {:>4} cells, {} distinct x {} seed{} = {} trials: {} done, {} resumable, {} new\n", "sum",
      name_width, cells, distinct, plan.spec.seeds.size(), plan.spec.seeds.size() == 1 ? "" : "s", total,
      plan.done, plan.resumable, total - plan.done - plan.resumable);
  for (const std::string& message : plan.warnings) out += message + "\n";
  for (const std::string& message : plan.unreadable) out += "warning: " + message + "\n";
  if (plan.not_kept > 0)
    out += fmt::format(
        "note: {} finished trial{} left less than run.keep: {} asks for now, and a finished trial is not "
        "trained "
        "again; another --data-dir trains {} anew\n",
        plan.not_kept, plan.not_kept == 1 ? "" : "s", text_of(plan.spec.run.keep),
        plan.not_kept == 1 ? "it" : "them");
  if (!plan.unreadable.empty()) out += "ids are provisional until these inputs can be read; `run` refuses\n";
  if (plan.estimate && total > plan.done) out += estimate_text(*plan.estimate, slots);
  return out;
}

}  // namespace ranktide::cli
