#include "common/sweep/trunk.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>

#include "common/sweep/identity.h"
#include "common/vocabulary/flat_rate.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr size_t kBesideMax = 256;        // cells that are looked at for one trunk
constexpr double kEpochPart = 1'000'000;  // parts of an epoch, where no data says how many steps it has

bool sets_budget(const Axis& axis) {
  return std::any_of(axis.points.begin(), axis.points.end(), [](const AxisPoint& point) {
    const auto first = point.set.lower_bound("budget.");
    return first != point.set.end() && first->first.starts_with("budget.");
  });
}

// Where a raw index stands in the grid (grid.h says how they are counted).
struct GridPlace {
  const Block* block = nullptr;
  int64_t first = 0;  // cells before the block
  int64_t cell = 0;   // in the block
  int64_t seed = 0;
};

GridPlace place_in(const SweepSpec& spec, int64_t raw) {
  const auto seeds = static_cast<int64_t>(spec.seeds.size());
  GridPlace out{.cell = raw / seeds, .seed = raw % seeds};
  for (const Block& block : spec.blocks) {
    out.block = &block;
    const int64_t cells = crossed_cells(block) + static_cast<int64_t>(block.include.size());
    if (out.cell < cells) break;
    out.cell -= cells;
    out.first += cells;
  }
  return out;
}

// Returns: the cells of a block that stand where `cell` does on every axis but those of budgets, rising.
std::vector<int64_t> cells_beside(const Block& block, int64_t cell) {
  std::vector<int64_t> out{cell};
  int64_t stride = 1;
  for (auto axis = block.axes.rbegin(); axis != block.axes.rend(); ++axis) {
    const auto points = static_cast<int64_t>(axis->points.size());
    if (points > 1 && sets_budget(*axis)) {
      std::vector<int64_t> grown;
      for (const int64_t each : out)
        for (int64_t point = 0; point < points; ++point)
          grown.push_back(each + (point - each / stride % points) * stride);
      if (grown.size() > kBesideMax) return {cell};
      out = std::move(grown);
    }
    stride *= points;
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<int64_t> raws_beside(const SweepSpec& spec, int64_t raw) {
  if (spec.random) return {raw};
  const GridPlace place = place_in(spec, raw);
  if (place.cell >= crossed_cells(*place.block)) return {raw};
  std::vector<int64_t> out;
  for (const int64_t cell : cells_beside(*place.block, place.cell))
    out.push_back((place.first + cell) * static_cast<int64_t>(spec.seeds.size()) + place.seed);
  return out;
}

// What counts up to where a trial leaves its trunk: all but the budget and the rate after that. Content stands
// in the place of paths, where it was read.
Json settings_on_trunk(const SweepTrial& trial) {
  Json out = to_json(trial.settings);
  out.erase("budget");
  for (const char* key : {"schedule", "cooldown", "final_lr"}) out["train"].erase(key);
  if (trial.provisional) return out;
  out["model"] = {{"base", trial.base.text},
                  {"tokenizer", trial.tokenizer_sha256},
                  {"dtype", std::string(text_of(trial.settings.model.dtype))}};
  if (trial.start) out["model"]["from"] = trial.settings.model.from;  // whole, by grid.h
  out["data"]["train"] = trial.data_sha256;
  if (trial.settings.data.replay) out["data"]["replay"] = trial.settings.data.replay->share;
  return out;
}

StageId trunk_id(const SweepTrial& trial, Step to) {
  const Json body{{"settings", settings_on_trunk(trial)}, {"from", 0}, {"to", to}};
  return StageId{sha256_hex("ranktide trunk 1\n" + canonical_json(body))};
}

// Returns: how long the trial is, in steps or, where the data that would say is unread, in parts of its budget.
Step length_of(const SweepTrial& trial) {
  if (trial.steps > 0) return trial.steps;
  const Budget& budget = trial.settings.budget;
  return budget.tokens ? *budget.tokens : static_cast<Step>(budget.epochs.value_or(0) * kEpochPart);
}

size_t evals_on_trunk(const SweepTrial& trial) {
  const Step leaves = *shared_until(trial.settings.train, length_of(trial));
  const auto steps = std::count_if(trial.eval_at.begin(), trial.eval_at.end(),
                                   [&](Step at) { return is_on_trunk(at, leaves, trial.steps); });
  return static_cast<size_t>(steps) * trial.evals.size();
}

// Whether trials that begin alike get a trunk. Of evals at steps that unread data would tell nobody knows yet.
bool branch_off(const std::vector<SweepTrial>& trials) {
  if (trials.size() < 2 || trials.size() > kBranchesMax) return false;
  size_t evals = 0;
  for (const SweepTrial& trial : trials) evals += evals_on_trunk(trial);
  return evals <= kTrunkEvalsMax;
}

// Returns: what their lengths count; of more than one kind they cannot be added up.
std::set<std::string_view> kinds_of_length(const std::vector<SweepTrial>& trials) {
  std::set<std::string_view> out;
  for (const SweepTrial& trial : trials)
    out.insert(trial.steps > 0 ? "steps" : trial.settings.budget.tokens ? "tokens" : "epochs");
  return out;
}

// Those of `trials` that have the same beginning as the first of them, which is looked for from its end.
std::vector<SweepTrial> alike(std::vector<SweepTrial> trials, const SweepTrial& as) {
  const Json wanted = settings_on_trunk(as);
  std::erase_if(trials, [&](const SweepTrial& each) {
    return !shared_until(each.settings.train, length_of(each)) || settings_on_trunk(each) != wanted;
  });
  return trials;
}

SharedWork work_of_group(const std::vector<SweepTrial>& trials) {
  SharedWork out{.trunks = 1};
  Step longest = 0;
  for (const SweepTrial& trial : trials) {
    const Step at = *shared_until(trial.settings.train, length_of(trial));
    ++out.trials;
    out.alone += length_of(trial);
    out.shared += length_of(trial) - at;
    longest = std::max(longest, at);
  }
  out.shared += longest;
  return out;
}

// Visits the trials of each place of the grid that differ in their budget, once. Returns: whether those were
// all.
template <class Visit>
bool for_each_group(const Grid& grid, const Visit& visit) {
  const SweepSpec& spec = grid.spec();
  int64_t looks = 0;
  for (int64_t raw = 0; raw < grid.raw_count();) {
    const GridPlace place = place_in(spec, raw);
    const bool varies = std::any_of(place.block->axes.begin(), place.block->axes.end(), [](const Axis& axis) {
      return axis.points.size() > 1 && sets_budget(axis);
    });
    const int64_t cells = crossed_cells(*place.block);
    const auto seeds = static_cast<int64_t>(spec.seeds.size());
    const int64_t block_end = (place.first + cells + static_cast<int64_t>(place.block->include.size())) * seeds;
    for (; varies && raw < (place.first + cells) * seeds; ++raw) {
      const std::vector<int64_t> raws = raws_beside(spec, raw);
      if (raws.front() != raw) continue;
      looks += static_cast<int64_t>(raws.size());
      if (looks > kSharedWorkLooksMax) return false;
      std::vector<SweepTrial> trials;
      for (const int64_t each : raws)
        if (auto trial = grid.at(each)) trials.push_back(*std::move(trial));
      if (trials.size() > 1) visit(*place.block, trials);
    }
    raw = block_end;
  }
  return true;
}

std::string ratio_text(const SharedWork& work) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1fx", static_cast<double>(work.alone) / static_cast<double>(work.shared));
  return std::string(text) + " less work";
}

std::string names_of_budget_axes(const Block& block) {
  std::string out;
  for (const Axis& axis : block.axes)
    if (axis.points.size() > 1 && sets_budget(axis)) out += (out.empty() ? "" : " and ") + axis.name;
  return out;
}

// Returns: why trials of different budgets share nothing; empty: they do.
std::string why_nothing(const TrainSettings& train) {
  if (train.schedule == Schedule::linear || train.schedule == Schedule::cosine)
    return std::string(text_of(train.schedule)) + " depends on the total";
  if (!train.warmup.steps && train.warmup.share.value_or(0) > 0) return "the warmup is a share of the budget";
  return "";
}

// The same trials under the schedule that shares most: what a user could have.
std::string advice(std::vector<SweepTrial> trials) {
  for (SweepTrial& trial : trials) {
    trial.settings.train.schedule = Schedule::wsd;
    trial.settings.train.warmup = {.steps = 0, .share = {}};
    trial.settings.train.cooldown = {.steps = {}, .share = 0.2};
  }
  trials = alike(trials, trials.front());
  if (trials.size() < 2 || kinds_of_length(trials).size() > 1) return "";
  return "; with schedule wsd, warmup in steps and 20 % cooldown: " + ratio_text(work_of_group(trials)) +
         " on this axis";
}

void note_nothing_shared(const Block& block, const std::vector<SweepTrial>& trials,
                         std::vector<std::string>& lines) {
  const std::string why = why_nothing(trials.front().settings.train);
  if (why.empty()) return;
  const std::string line = "none on " + names_of_budget_axes(block) + " (" + why + ")";
  const bool is_known =
      std::any_of(lines.begin(), lines.end(), [&](auto& each) { return each.starts_with(line); });
  if (!is_known) lines.push_back(line + advice(trials));
}

}  // namespace

std::optional<Step> shared_until(const TrainSettings& settings, Step steps) {
  const bool is_flat = settings.schedule == Schedule::constant || settings.schedule == Schedule::wsd;
  if (!is_flat || !why_nothing(settings).empty()) return std::nullopt;
  const Step at = settings.schedule == Schedule::constant ? steps : flat_until(settings, steps);
  if (at < 1 || settings.warmup.steps.value_or(0) > at) return std::nullopt;
  return at;
}

std::vector<SweepTrial> trials_beside(const Grid& grid, const SweepTrial& trial) {
  std::vector<SweepTrial> out;
  if (trial.provisional || !shared_until(trial.settings.train, trial.steps)) return {trial};
  for (const int64_t raw : raws_beside(grid.spec(), trial.index)) {
    if (raw == trial.index)
      out.push_back(trial);
    else if (auto other = grid.at(raw); other && !other->provisional)
      out.push_back(*std::move(other));
  }
  return alike(std::move(out), trial);
}

std::vector<TrialBranch> branches_of(const std::vector<SweepTrial>& trials) {
  if (!branch_off(trials)) return {};
  std::vector<TrialBranch> out;
  Step to = 0;
  for (const SweepTrial& trial : trials) {
    const Step at = *shared_until(trial.settings.train, trial.steps);
    out.push_back({trial, {.trunk = {}, .to = 0, .at = at}});
    to = std::max(to, at);
  }
  const StageId id = trunk_id(trials.front(), to);
  for (TrialBranch& branch : out) {
    branch.place.trunk = id;
    branch.place.to = to;
  }
  return out;
}

Stage trunk_stage(const Stage& branch, const StageId& trunk, Step to) {
  Stage out = branch;
  out.id = trunk;
  out.trial = TrialId{trunk.text};
  out.to = to;
  out.settings.train.schedule = Schedule::constant;
  out.settings.budget = {.steps = to, .tokens = {}, .epochs = {}};
  return out;
}

SharedWork shared_work(const Grid& grid) {
  // Drawn cells stand beside nothing; rows set by hand are inexact, and a trunk serves by being exact.
  if (grid.spec().random || grid.spec().run.microbatch) return {};
  SharedWork out;
  std::set<std::string_view> kinds;
  out.is_of_all = for_each_group(grid, [&](const Block& block, const std::vector<SweepTrial>& trials) {
    note_nothing_shared(block, trials, out.nothing_on);
    const std::vector<SweepTrial> sharing = alike(trials, trials.front());
    if (!branch_off(sharing)) return;
    const SharedWork work = work_of_group(sharing);
    out.trials += work.trials;
    out.trunks += work.trunks;
    out.alone += work.alone;
    out.shared += work.shared;
    out.saved[block.name] += work.alone - work.shared;
    kinds.merge(kinds_of_length(sharing));
  });
  if (kinds.size() > 1) {
    out.alone = out.shared = 0;
    out.saved.clear();
  }
  return out;
}

std::vector<std::string> sharing_text(const SharedWork& work) {
  std::vector<std::string> out;
  if (work.trunks > 0)
    out.push_back(std::to_string(work.trials) + " trials begin with " + std::to_string(work.trunks) +
                  (work.trunks == 1 ? " trunk" : " trunks") +
                  (work.shared > 0 ? ": " + ratio_text(work) + " on them" : "") +
                  (work.is_of_all ? "" : ", of those that were looked at"));
  out.insert(out.end(), work.nothing_on.begin(), work.nothing_on.end());
  return out;
}

}  // namespace ranktide
