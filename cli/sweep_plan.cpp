#include "cli/sweep_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/known_trials.h"
#include "cli/plan_sample.h"
#include "common/sweep/beside_cells.h"
#include "common/sweep/cell_census.h"
#include "common/sweep/shared_work.h"
#include "common/sweep/taken_trials.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

void add_to(CostRange& range, const PlannedGroup& group) {
  const TrialCost& cost = *group.cost;
  range.seconds_min = std::min(range.seconds_min, cost.seconds);
  range.seconds_max = std::max(range.seconds_max, cost.seconds + (group.scouts > 0 ? cost.rung_seconds : 0));
  range.memory_bytes_min = std::min(range.memory_bytes_min, cost.memory_bytes);
  range.memory_bytes_max = std::max(range.memory_bytes_max, cost.memory_bytes);
  range.memory_spread = std::max(range.memory_spread, cost.memory_spread);
  range.slot_seconds += static_cast<double>(group.trials) * group.seconds();
  range.spread = std::max(range.spread, cost.spread);
  range.kept_bytes += group.trials * cost.disk.kept;
  range.basis = std::min(range.basis, cost.basis);
}

// Returns: costs first, then what trunks hang on, where there may be any.
std::vector<Telling> tellings_of(const SweepSpec& spec) {
  std::vector<Telling> out{settings_of_cost()};
  if (auto sharing = telling_for_sharing(spec)) out.push_back(*std::move(sharing));
  return out;
}

bool varies_budgets(const SweepSpec& spec) {
  return std::any_of(spec.blocks.begin(), spec.blocks.end(), [](const Block& block) {
    return std::any_of(block.axes.begin(), block.axes.end(),
                       [](const Axis& axis) { return axis.points.size() > 1 && sets_budget(axis); });
  });
}

// Fills in all that follows from spec, known and timing. The census is of tellings_of().
void count_up(SweepPlan& plan, const Grid& grid, const CellCensus& census) {
  plan.blocks = census.counts();
  plan.warnings = warnings_of(grid, plan.blocks);
  SharedWork shared = telling_for_sharing(plan.spec) ? shared_work(grid, census, 1) : SharedWork{};
  plan.sharing = sharing_text(shared);
  if (plan.spec.run.stop_early && varies_budgets(plan.spec))
    plan.sharing.emplace_back("none (run.stop_early stops trials one by one, so that each runs by itself)");
  plan.saved = std::move(shared.saved);
  group_up(plan, grid, census);
}

// Evenly over the block's training, evals being run for each trial. Of a block of which some trials are trained
// nobody knows what their trunks still save: then nothing. Steps that were sampled may fall short of those
// saved.
void spare(std::vector<PlannedGroup>& groups, const std::string& block, Step saved) {
  double steps = 0;
  for (const PlannedGroup& group : groups) {
    if (group.blocks.front() != block) continue;
    if (is_trained(group.fate)) return;
    steps += static_cast<double>(group.trials) * static_cast<double>(group.length.steps);
  }
  const double share = std::min(1.0, static_cast<double>(saved) / steps);
  for (PlannedGroup& group : groups)
    if (group.blocks.front() == block && group.cost)
      group.spared_seconds = share * (group.cost->seconds - group.cost->eval_seconds);
}

void cost_up(SweepPlan& plan) {
  TrialCosts costs(plan.spec.inputs, *plan.timing, plan.spec.run, plan.eval_sizes);
  std::map<int64_t, std::optional<TrialCost>> worked_out;
  for (const auto& [raw, trial] : plan.samples) worked_out.emplace(raw, costs.of(trial));
  for (PlannedGroup& group : plan.groups) {
    group.cost = worked_out.at(group.costs_as);
    if (group.cost) group.cost = at_length(*group.cost, group.length);
  }
  const double spread = spread_of_samples(plan);
  for (PlannedGroup& group : plan.groups)
    if (group.cost) group.cost->spread += spread;
  for (const auto& [block, steps] : plan.saved) spare(plan.groups, block, steps);
  plan.estimate = estimate_of(plan.groups);
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
    case Fate::stopped_early:
      return "stopped_early";
    case Fate::resumable:
      return "resumable";
    case Fate::fresh:
      return "new";
  }
  return "";
}

bool is_trained(Fate fate) {
  return fate == Fate::done || fate == Fate::evals || fate == Fate::evals_lost || fate == Fate::stopped_early;
}

double PlannedGroup::seconds() const {
  const double rungs = cost->rung_seconds * static_cast<double>(scouts) / static_cast<double>(trials);
  return cost->seconds + rungs - spared_seconds;
}

int64_t SweepPlan::trials() const {
  return trial_count(spec, blocks);
}

int64_t SweepPlan::count(Fate fate) const {
  int64_t out = 0;
  for (const PlannedGroup& group : groups) out += group.fate == fate ? group.trials : 0;
  return out;
}

int64_t SweepPlan::left() const {
  int64_t out = 0;
  for (const PlannedGroup& group : groups) out += is_trained(group.fate) ? 0 : group.trials;
  return out;
}

int64_t SweepPlan::not_kept() const {
  int64_t out = 0;
  for (const PlannedGroup& group : groups) out += group.left_less ? group.trials : 0;
  return out;
}

std::optional<SweepEstimate> estimate_of(const std::vector<PlannedGroup>& groups) {
  SweepEstimate sum;
  std::optional<int> fewest;
  for (const PlannedGroup& group : groups) {
    if (is_trained(group.fate)) continue;
    if (!group.cost) return std::nullopt;
    const TrialCost& cost = *group.cost;
    const auto trials = static_cast<double>(group.trials);
    sum.slot_seconds += trials * group.seconds();
    sum.slot_seconds_min += trials * group.seconds() / (1 + cost.spread);
    sum.slot_seconds_max += trials * group.seconds() * (1 + cost.spread);
    sum.memory_bytes = std::max(sum.memory_bytes, cost.memory_bytes);
    sum.memory_spread = std::max(sum.memory_spread, cost.memory_spread);
    sum.kept_bytes += group.trials * cost.disk.kept;
    sum.checkpoint_bytes = std::max(sum.checkpoint_bytes, cost.disk.checkpoints);
    sum.basis = std::min(sum.basis, cost.basis);
    fewest = std::min(fewest.value_or(cost.trials), cost.trials);
    sum.is_same_shape = sum.is_same_shape && cost.is_same_shape;
    sum.spread = std::max(sum.spread, cost.spread);
  }
  if (sum.basis == TimeBasis::trials) sum.trials = fewest.value_or(0);  // else they rest on none
  return sum;
}

Told told_for(const SweepSpec& spec) {
  return raw_trials(spec) > kComparedMax ? Told::settings : Told::standing;
}

std::vector<MeasuredTrial> measured_if_readable(const std::function<std::vector<MeasuredTrial>()>& read,
                                                const std::function<void(const std::string&)>& say) {
  try {
    return read();
  } catch (const std::exception& e) {
    say(fmt::format("note: times rest on no finished trials, which cannot be read: {}", e.what()));
    return {};
  }
}

Past past_of(const fs::path& data_folder, Told told, const std::function<void(const std::string&)>& say) {
  if (!fs::exists(database_file(data_folder))) return {};
  const auto page_after = [data_folder, told](const std::string& after) {
    return trials_after(Reader(data_folder), after, kTrialsPerPage, told);
  };
  const auto measured = [&] { return measured_trials(Reader(data_folder)); };
  return {.trials = {}, .page_after = page_after, .measured = measured_if_readable(measured, say)};
}

PreparedSweep prepared(SweepSpec spec, const std::string& file, const ContentSources& sources) {
  InputsRead read = read_inputs(spec, sources);
  if (!read.refused.empty()) throw SpecError(fmt::format("{}: {}", file, fmt::join(read.refused, "\n       ")));
  spec.inputs = read.inputs;
  return {.spec = std::move(spec),
          .read = std::move(read.inputs),
          .unreadable = std::move(read.unreadable),
          .elsewhere = std::move(read.elsewhere),
          .eval_sizes = std::move(read.eval_sizes)};
}

void require_inputs(const PreparedSweep& sweep) {
  if (sweep.unreadable.empty()) return;
  throw CommandError(kUsage, fmt::format("{}\nhint: paths in a sweep file are relative to its folder",
                                         fmt::join(sweep.unreadable, "\n       ")));
}

SweepPlan plan_of(PreparedSweep sweep, const Past& past, int64_t costed_max) {
  SweepPlan plan{.spec = std::move(sweep.spec),
                 .unreadable = std::move(sweep.unreadable),
                 .eval_sizes = std::move(sweep.eval_sizes),
                 .costed_max = costed_max};
  const Grid grid(plan.spec);
  const CellCensus census(grid, tellings_of(plan.spec));
  plan.known = known_in(grid, census, past);
  plan.timing = timing_of(std::nullopt, 1, past.measured, plan.spec.inputs, cores_of(this_processor().name, 1));
  count_up(plan, grid, census);
  cost_up(plan);
  return plan;
}

void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads,
             const TimedSlots& slots) {
  plan.timing = timing_of(table, threads, past.measured, plan.spec.inputs, slots);
  cost_up(plan);
}

void take_only(SweepPlan& plan, const std::vector<int64_t>& raw) {
  plan.spec.taken = ranges_of(raw);
  plan.spec.taken_unites.reset();
  std::erase_if(plan.known, [&](const KnownTrial& trial) { return !takes(plan.spec, trial.raw); });
  const Grid grid(plan.spec);
  count_up(plan, grid, CellCensus(grid, tellings_of(plan.spec)));
  RT_CHECK(plan.trials() == std::ssize(raw));
  cost_up(plan);
}

void for_each_trial(const SweepPlan& plan, const std::function<void(const PlannedTrial&)>& visit) {
  const Grid grid(plan.spec);
  TrialCosts costs(plan.spec.inputs, *plan.timing, plan.spec.run, plan.eval_sizes);
  auto known = plan.known.begin();
  PlannedTrial planned;
  std::optional<TrialCost> cost;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    auto trial = grid.at(raw);
    if (!trial) continue;
    if (trial->cell != planned.trial.cell) cost = costs.of(*trial);  // seeds cost alike
    planned.cost = cost;
    if (planned.cost && trial->race) planned.cost->seconds += planned.cost->rung_seconds;
    while (known != plan.known.end() && known->raw < raw) ++known;
    planned.fate = known != plan.known.end() && known->raw == raw ? known->fate : Fate::fresh;
    planned.trial = *std::move(trial);
    visit(planned);
  }
}

std::optional<CostRange> cost_range(const SweepPlan& plan, const std::string& block) {
  std::optional<CostRange> range;
  for (const PlannedGroup& group : plan.groups) {
    if (group.blocks.front() != block) continue;
    if (!group.cost) return std::nullopt;
    const TrialCost& cost = *group.cost;
    if (!range)
      range = CostRange{.seconds_min = cost.seconds,
                        .seconds_max = cost.seconds,
                        .memory_bytes_min = cost.memory_bytes,
                        .memory_bytes_max = cost.memory_bytes};
    add_to(*range, group);
  }
  return range;
}

}  // namespace ranktide::cli
