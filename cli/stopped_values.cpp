#include "cli/stopped_values.h"

#include <algorithm>
#include <limits>

#include "common/sweep/early_stop.h"
#include "common/sweep/taken_trials.h"

namespace ranktide::cli {
namespace {

constexpr double kWorst = -std::numeric_limits<double>::infinity();

}  // namespace

StoppedValues::StoppedValues(const Grid& grid) : grid_(grid), seeds_(std::ssize(grid.spec().seeds)) {
  const std::string policy = early_stop_policy(grid.spec());
  if (!policy.empty()) stopper_ = stopped_by(grid.spec().name, policy);
}

void StoppedValues::add(int64_t raw, const TrialStanding& trial) {
  if (stopper_.empty()) return;
  const int64_t cell = raw / seeds_;
  for (const StandingVerdict& verdict : trial.verdicts)
    if (verdict.by == stopper_) out_.insert_or_assign(cell, verdict);
  if (raw % seeds_ == 0 && !trial.shown.empty()) shown_[cell] = trial.shown;
  if (trial.state != "diverged") return;
  diverged_cells_.insert(cell);
  diverged_.insert(raw);
}

// Returns: that of the cell's scout; nullopt where it has none.
std::optional<Race> StoppedValues::race_of(int64_t cell) const {
  const auto scout = grid_.at(cell * seeds_);
  return scout ? scout->race : std::nullopt;
}

// A value of which a seed diverged will not be chosen, and nobody is out for it.
StoppedValues::BestShown StoppedValues::best_shown() const {
  BestShown out;
  for (const auto& [cell, scores] : shown_) {
    if (diverged_cells_.contains(cell)) continue;
    const auto race = race_of(cell);
    if (!race) continue;
    for (const StandingScore& shown : scores)
      for (const Rung& rung : race->rungs)
        if (shown.step == rung.at && shown.spec == race->task.spec_id.substr(0, kEvalDigits))
          for (const std::string& contest : race->contests) {
            double& best = out.try_emplace({contest, rung.k}, kWorst).first->second;
            best = std::max(best, shown.score);
          }
  }
  return out;
}

bool StoppedValues::is_behind(int64_t cell, const StandingVerdict& verdict, const BestShown& best) const {
  const auto race = race_of(cell);
  if (!race || diverged_cells_.contains(cell)) return true;
  return std::all_of(race->contests.begin(), race->contests.end(), [&](const std::string& contest) {
    const auto ahead = best.find({contest, verdict.rung});
    return ahead != best.end() && ahead->second > verdict.score.value_or(kWorst);
  });
}

std::set<int64_t> StoppedValues::staying_out() const {
  std::set<int64_t> out;
  const bool are_weighed = out_.size() + shown_.size() <= kWeighedMax;
  const BestShown best = are_weighed && !out_.empty() ? best_shown() : BestShown{};
  for (const auto& [cell, verdict] : out_)
    if (!are_weighed || is_behind(cell, verdict, best)) out.insert(cell);
  return out;
}

void StoppedValues::mark(std::vector<KnownTrial>& known) const {
  const std::set<int64_t> out = staying_out();
  std::set<int64_t> listed;
  for (KnownTrial& trial : known) {
    if (!out.contains(trial.raw / seeds_)) continue;
    listed.insert(trial.raw);
    const bool is_of_another_sweep = trial.fate == Fate::done || trial.fate == Fate::running;
    if (!is_of_another_sweep && !diverged_.contains(trial.raw)) trial.fate = Fate::stopped_early;
  }
  for (const int64_t cell : out)
    for (int64_t raw = cell * seeds_; raw < (cell + 1) * seeds_; ++raw)
      if (!listed.contains(raw) && takes(grid_.spec(), raw))
        known.push_back({.raw = raw, .fate = Fate::stopped_early});
}

}  // namespace ranktide::cli
