#include "cli/sweep_plan.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/known_trials.h"
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
  range.seconds_max = std::max(range.seconds_max, cost.seconds);
  range.memory_bytes_min = std::min(range.memory_bytes_min, cost.memory_bytes);
  range.memory_bytes_max = std::max(range.memory_bytes_max, cost.memory_bytes);
  range.memory_spread = std::max(range.memory_spread, cost.memory_spread);
  range.slot_seconds += static_cast<double>(group.trials) * group.seconds();
  range.spread = std::max(range.spread, cost.spread);
  range.kept_bytes += group.trials * cost.disk.kept;
  range.basis = std::min(range.basis, cost.basis);
}

using Fates = std::map<std::pair<Fate, bool>, int64_t>;  // and left_less -> trials

// Of each kind of trials as many groups as there are fates.
std::vector<PlannedGroup> groups_of(const SweepSpec& spec, const CellCensus& census,
                                    const std::vector<KnownTrial>& known) {
  std::map<size_t, Fates> told;
  const auto seeds = static_cast<int64_t>(spec.seeds.size());
  for (const KnownTrial& trial : known)
    ++told[census.group_of(trial.raw / seeds)][{trial.fate, trial.left_less}];
  std::vector<PlannedGroup> out;
  out.reserve(census.groups().size());
  for (size_t place = 0; place < census.groups().size(); ++place) {
    const TrialsAlike& all = census.groups()[place];
    int64_t fresh = all.trials;
    if (const auto fates = told.find(place); fates != told.end())
      for (const auto& [fate, trials] : fates->second) {
        out.push_back({all.sample, {}, trials, fate.first, fate.second});
        fresh -= trials;
      }
    if (fresh > 0) out.push_back({.sample = all.sample, .blocks = {}, .trials = fresh});
  }
  return out;
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
  plan.groups = groups_of(plan.spec, census, plan.known);
}

// Evenly over the block's training, evals being run for each trial. Of a block of which some trials are trained
// nobody knows what their trunks still save: then nothing. Steps that were sampled may fall short of those
// saved.
void spare(std::vector<PlannedGroup>& groups, const std::string& block, Step saved) {
  double steps = 0;
  for (const PlannedGroup& group : groups) {
    if (group.blocks.front() != block) continue;
    if (is_trained(group.fate)) return;
    steps += static_cast<double>(group.trials) * static_cast<double>(group.steps);
  }
  const double share = std::min(1.0, static_cast<double>(saved) / steps);
  for (PlannedGroup& group : groups)
    if (group.blocks.front() == block && group.cost)
      group.spared_seconds = share * (group.cost->seconds - group.cost->eval_seconds);
}

// Groups that stand beside each other and for which one trial is worked out.
struct Stretch {
  size_t begin = 0, end = 0;  // of SweepPlan::groups
  int64_t trials = 0;
};

// Returns: each kind's groups.
std::vector<Stretch> kinds_in(const std::vector<PlannedGroup>& groups) {
  std::vector<Stretch> out;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i == 0 || groups[i].sample != groups[i - 1].sample) out.push_back({.begin = i});
    out.back().end = i + 1;
    out.back().trials += groups[i].trials;
  }
  return out;
}

// Of one block each, so that no trial counts as another's. A block's first and last kind stand for no others:
// where values rise along the axes they cost least and most.
std::vector<Stretch> stretches_of(const std::vector<PlannedGroup>& groups, const std::vector<Stretch>& kinds,
                                  const Grid& grid) {
  const int64_t every = (std::ssize(kinds) + kCostedMax - 1) / kCostedMax;
  const auto block = [&](size_t kind) { return grid.block_at(groups[kinds[kind].begin].sample); };
  std::vector<Stretch> out;
  int64_t room = 0;  // kinds that still go to the last of out
  for (size_t i = 0; i < kinds.size(); ++i) {
    const bool is_first = i == 0 || block(i) != block(i - 1);
    const bool is_last = i + 1 == kinds.size() || block(i) != block(i + 1);
    if (room == 0 || is_first || is_last) {
      out.push_back(kinds[i]);
      room = is_first || is_last ? 0 : every - 1;
      continue;
    }
    out.back().end = kinds[i].end;
    out.back().trials += kinds[i].trials;
    --room;
  }
  return out;
}

// By chance as a hash has it, as no axis does: else one of them might keep step with the choice. Each trial is
// as likely, so that in the mean sums are those of all trials.
int64_t drawn_from(const std::vector<PlannedGroup>& groups, const Stretch& stretch) {
  auto hash = static_cast<uint64_t>(groups[stretch.begin].sample) * 0x9e3779b97f4a7c15;
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  auto at = static_cast<int64_t>((hash ^ hash >> 31) % static_cast<uint64_t>(stretch.trials));
  size_t i = stretch.begin;
  while (at >= groups[i].trials) at -= groups[i++].trials;
  return groups[i].sample;
}

// A budget, and what its rows and their number a step hang on.
Telling settings_of_steps() {
  Telling out{.by_value = {"train.batch"}};
  for (const Setting& setting : settings())
    for (const std::string_view section : {"budget.", "data.", "model."})
      if (setting.key.starts_with(section) && setting.key != "model.from") out.by_value.emplace(setting.key);
  return out;
}

// Exact, so that no trial counts with another one's budget; unless budgets are too many to be worked out, too.
// One that is derived may be another in every cell: then the walk that would tell takes longest and tells
// least.
void count_steps(SweepPlan& plan, const Grid& grid) {
  const Telling told = settings_of_steps();
  for (const Block& block : plan.spec.blocks)
    for (const auto& [key, rule] : block.derive)
      if (told.by_value.contains(key)) return;
  const CellCensus census(grid, {told});
  plan.are_steps_exact = std::ssize(census.groups()) <= kCostedMax;
  if (!plan.are_steps_exact) return;
  std::vector<Step> steps;
  for (const TrialsAlike& alike : census.groups()) steps.push_back(sample_of(grid, alike).steps);
  const auto seeds = static_cast<int64_t>(plan.spec.seeds.size());
  for (PlannedGroup& group : plan.groups) group.steps = steps[census.group_of(group.sample / seeds)];
}

void resolve_samples(SweepPlan& plan, const Grid& grid) {
  const std::vector<Stretch> kinds = kinds_in(plan.groups);
  plan.kinds = std::ssize(kinds);
  plan.samples.clear();
  plan.are_steps_exact = false;
  for (const Stretch& stretch : stretches_of(plan.groups, kinds, grid)) {
    const int64_t raw = drawn_from(plan.groups, stretch);
    const SweepTrial& trial =
        plan.samples.emplace(raw, sample_of(grid, {.sample = raw, .trials = 1})).first->second;
    for (size_t i = stretch.begin; i < stretch.end; ++i) {
      plan.groups[i].costs_as = raw;
      plan.groups[i].blocks = trial.blocks;
      plan.groups[i].steps = trial.steps;
    }
  }
  if (std::ssize(plan.samples) < plan.kinds) count_steps(plan, grid);
}

// Training takes as long as it has steps.
void stretch_to(TrialCost& cost, Step steps, Step costed) {
  if (steps == costed) return;
  const double training = cost.seconds - cost.eval_seconds;
  cost.seconds = cost.eval_seconds + training * static_cast<double>(steps) / static_cast<double>(costed);
}

// Returns: two standard deviations of what the groups add up to about what it would be if each kind were worked
// out, as a share of it: from how those differ that were worked out one after the other. What differs is what a
// step takes, or, where steps are sampled too, a trial.
double spread_of_samples(const SweepPlan& plan) {
  if (std::ssize(plan.samples) == plan.kinds) return 0;
  double sum = 0, square = 0, amount = 0, price = 0, before = 0;
  for (size_t i = 0; i < plan.groups.size(); ++i) {
    const PlannedGroup& group = plan.groups[i];
    if (!group.cost) return 0;
    const double units = plan.are_steps_exact ? static_cast<double>(group.steps) : 1;
    amount += static_cast<double>(group.trials) * units;
    if (group.sample == group.costs_as) price = group.cost->seconds / units;
    if (i + 1 < plan.groups.size() && plan.groups[i + 1].costs_as == group.costs_as) continue;
    const double apart = sum == 0 ? 0 : amount * (price - before);
    square += apart * apart / 2;
    sum += amount * price;
    before = price;
    amount = 0;
  }
  return sum > 0 ? 2 * std::sqrt(square) / sum : 0;
}

void cost_up(SweepPlan& plan) {
  TrialCosts costs(plan.spec.inputs, *plan.timing, plan.spec.run);
  const SweepTrial* trial = nullptr;
  std::optional<TrialCost> cost;
  for (PlannedGroup& group : plan.groups) {
    const SweepTrial& own = plan.samples.at(group.costs_as);
    if (&own != trial) cost = costs.of(own);
    trial = &own;
    group.cost = cost;
    if (group.cost) stretch_to(*group.cost, group.steps, own.steps);
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

Past past_of(const fs::path& data_folder, Told told) {
  if (!fs::exists(database_file(data_folder))) return {};
  const auto page_after = [data_folder, told](const std::string& after) {
    return trials_after(Reader(data_folder), after, kTrialsPerPage, told);
  };
  return {.trials = {}, .page_after = page_after, .measured = measured_trials(Reader(data_folder))};
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
  const CellCensus census(grid, tellings_of(plan.spec));
  plan.known = known_in(grid, census, past);
  plan.timing = timing_of(std::nullopt, 1, past.measured, plan.spec.inputs, ComputedOn::cpu);
  count_up(plan, grid, census);
  resolve_samples(plan, grid);
  cost_up(plan);
  return plan;
}

void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads,
             ComputedOn on) {
  plan.timing = timing_of(table, threads, past.measured, plan.spec.inputs, on);
  cost_up(plan);
}

void take_only(SweepPlan& plan, const std::vector<int64_t>& raw) {
  plan.spec.taken = ranges_of(raw);
  std::erase_if(plan.known, [&](const KnownTrial& trial) { return !takes(plan.spec, trial.raw); });
  const Grid grid(plan.spec);
  count_up(plan, grid, CellCensus(grid, tellings_of(plan.spec)));
  RT_CHECK(plan.trials() == std::ssize(raw));
  resolve_samples(plan, grid);
  cost_up(plan);
}

void for_each_trial(const SweepPlan& plan, const std::function<void(const PlannedTrial&)>& visit) {
  const Grid grid(plan.spec);
  TrialCosts costs(plan.spec.inputs, *plan.timing, plan.spec.run);
  auto known = plan.known.begin();
  PlannedTrial planned;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    auto trial = grid.at(raw);
    if (!trial) continue;
    if (trial->cell != planned.trial.cell) planned.cost = costs.of(*trial);  // seeds cost alike
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
