#include "cli/plan_sample.h"

#include <algorithm>
#include <cmath>

#include "cli/known_trials.h"
#include "common/sweep/cell_census.h"
#include "common/sweep/settings.h"

namespace ranktide::cli {
namespace {

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

}  // namespace

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

void stretch_to(TrialCost& cost, Step steps, Step costed) {
  if (steps == costed) return;
  const double training = cost.seconds - cost.eval_seconds;
  cost.seconds = cost.eval_seconds + training * static_cast<double>(steps) / static_cast<double>(costed);
}

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

}  // namespace ranktide::cli
