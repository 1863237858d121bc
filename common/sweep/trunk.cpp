#include "common/sweep/trunk.h"

#include <algorithm>

#include "common/sweep/beside_cells.h"
#include "common/sweep/identity.h"
#include "common/vocabulary/flat_rate.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr double kEpochPart = 1'000'000;  // parts of an epoch, where no data says how many steps it has

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

std::vector<int64_t> raws_beside(const SweepSpec& spec, int64_t raw) {
  if (spec.random) return {raw};
  const GridPlace place = place_in(spec, raw);
  if (place.cell >= crossed_cells(*place.block)) return {raw};
  std::vector<int64_t> out;
  const BesideCells beside(*place.block);
  const int64_t first = place.first + beside.first_of(place.cell);
  for (const int64_t offset : beside.offsets())
    out.push_back((first + offset) * static_cast<int64_t>(spec.seeds.size()) + place.seed);
  return out;
}

StageId trunk_id(const SweepTrial& trial, Step to) {
  const Json body{{"settings", settings_on_trunk(trial)}, {"from", 0}, {"to", to}};
  return StageId{sha256_hex("ranktide trunk 1\n" + canonical_json(body))};
}

size_t evals_on_trunk(const SweepTrial& trial) {
  const Step leaves = *shared_until(trial.settings.train, length_of(trial));
  const auto steps = std::count_if(trial.eval_at.begin(), trial.eval_at.end(),
                                   [&](Step at) { return is_on_trunk(at, leaves, trial.steps); });
  return static_cast<size_t>(steps) * trial.evals.size();
}

}  // namespace

std::string why_nothing_shared(const TrainSettings& train) {
  if (train.schedule == Schedule::linear || train.schedule == Schedule::cosine)
    return std::string(text_of(train.schedule)) + " depends on the total";
  if (!train.warmup.steps && train.warmup.share.value_or(0) > 0) return "the warmup is a share of the budget";
  return "";
}

Step length_of(const SweepTrial& trial) {
  if (trial.steps > 0) return trial.steps;
  const Budget& budget = trial.settings.budget;
  return budget.tokens ? *budget.tokens : static_cast<Step>(budget.epochs.value_or(0) * kEpochPart);
}

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

std::optional<Step> shared_until(const TrainSettings& settings, Step steps) {
  const bool is_flat = settings.schedule == Schedule::constant || settings.schedule == Schedule::wsd;
  if (!is_flat || !why_nothing_shared(settings).empty()) return std::nullopt;
  const Step at = settings.schedule == Schedule::constant ? steps : flat_until(settings, steps);
  if (at < 1 || settings.warmup.steps.value_or(0) > at) return std::nullopt;
  return at;
}

std::vector<SweepTrial> that_begin_as(std::vector<SweepTrial> trials, const SweepTrial& as) {
  const Json wanted = settings_on_trunk(as);
  std::erase_if(trials, [&](const SweepTrial& each) {
    return !shared_until(each.settings.train, length_of(each)) || settings_on_trunk(each) != wanted;
  });
  return trials;
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
  return that_begin_as(std::move(out), trial);
}

std::string too_much_for_a_trunk(const std::vector<SweepTrial>& trials) {
  if (trials.size() > kBranchesMax)
    return std::to_string(trials.size()) + " trials begin alike, and a trunk has " +
           std::to_string(kBranchesMax) + " branches at most";
  size_t evals = 0;
  for (const SweepTrial& trial : trials) evals += evals_on_trunk(trial);
  if (evals <= kTrunkEvalsMax) return "";
  return "a trunk would run " + std::to_string(evals) + " evals for its trials, and runs " +
         std::to_string(kTrunkEvalsMax) + " at most: ask for fewer of them, or at fewer steps (eval.at)";
}

bool are_worth_a_trunk(const std::vector<SweepTrial>& trials) {
  return trials.size() > 1 && too_much_for_a_trunk(trials).empty();
}

std::vector<TrialBranch> branches_of(const std::vector<SweepTrial>& trials) {
  if (!are_worth_a_trunk(trials)) return {};
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

}  // namespace ranktide
