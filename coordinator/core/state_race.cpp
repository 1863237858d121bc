// The part of State that early stopping changes.

#include <algorithm>
#include <limits>

#include "common/sweep/early_stop.h"
#include "common/sweep/identity.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/state.h"

namespace ranktide {
namespace {

constexpr double kWorst = -std::numeric_limits<double>::infinity();

double shown_by(const EvalState& eval) {
  return eval.sign * eval.value;
}

// The value is not out any more: those of its trials that had ended count.
void count_again(const std::map<UnitId, Unit>& units, const CellId& cell, Sweep& sweep) {
  const auto listed = sweep.races.trials.find(cell);
  if (listed == sweep.races.trials.end()) return;
  for (const int64_t raw : listed->second)
    if (const StageId& stage = sweep.trials.at(raw); units.at(unit_of(stage)).life == UnitLife::completed)
      sweep.races.go_on(stage);
}

}  // namespace

// Verdicts are of the sweep's name: as long as nothing that they hang on changes, a revision has them too.
Races State::races_after(const Sweep& before, const SweepSpec& spec) {
  Races out;
  const std::string policy = early_stop_policy(spec);
  if (policy.empty() || policy != early_stop_policy(before.grid.spec())) return out;
  out.verdicts = before.races.verdicts;
  out.spared = before.races.spared;
  out.has_kept = true;
  if (spec.seeds.front() != before.grid.spec().seeds.front()) return out;  // others scout
  out.scouts = before.races.scouts;
  out.fields = before.races.fields;
  out.rung_evals = before.races.rung_evals;
  out.scores = before.races.scores;
  return out;
}

// What it has shown before it was listed counts for the others from now on.
void State::enter_race(Sweep& sweep, const SweepTrial& trial) {
  if (!sweep.run.stop_early) return;
  Races& races = sweep.races;
  races.trials[trial.cell].push_back(trial.index);
  races.cells[trial.stage] = trial.cell;
  if (!trial.race) return;
  const std::string& spec_id = trial.race->task.spec_id;
  Scout scout{.cell = trial.cell, .contests = trial.race->contests, .rungs = {}, .spec_id = spec_id};
  for (const Rung& rung : trial.race->rungs) scout.rungs.emplace_back(rung.k, rung.at);
  races.enter(trial.stage, std::move(scout));
  for (const Rung& rung : trial.race->rungs)
    if (const EvalState& eval = evals_.at(eval_id(trial.stage, rung.at, spec_id)); eval.is_finished)
      races.add_score({.stage = trial.stage, .k = rung.k, .at = rung.at}, shown_by(eval));
  if (units_.at(unit_of(trial.stage)).life == UnitLife::diverged) lose_race(sweep, trial.stage);
}

// Of every sweep that compares by it, also one that wants it just now no more or not yet.
void State::note_rung(const EvalId& id, const EvalState& eval) {
  for (auto& [number, sweep] : sweeps_)
    if (const auto rung = sweep.races.place_of(id)) sweep.races.add_score(*rung, shown_by(eval));
}

// It diverged, and comes to no further rung: the worst that anybody could show there.
void State::lose_race(Sweep& sweep, const StageId& stage) {
  const auto scout = sweep.races.scouts.find(stage);
  if (scout == sweep.races.scouts.end()) return;
  for (const auto& [k, at] : scout->second.rungs)
    if (!sweep.races.has_score(stage, k)) sweep.races.add_score({.stage = stage, .k = k, .at = at}, kWorst);
}

// Who tries a trial of a value that is out again wants that value to the end. What it has shown still counts
// for the others.
void State::spare(Sweep& sweep, const SweepTrial& trial) {
  if (!sweep.run.stop_early) return;
  Races& races = sweep.races;
  races.go_on(trial.stage);
  if (races.verdicts.erase(trial.cell) == 0) return;
  races.spared.insert(trial.cell);
  count_again(units_, trial.cell, sweep);
}

void State::on(const CellStoppedEarly& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  RT_CHECK(!sweep.is_cancelled);
  sweep.races.verdicts.insert_or_assign(r.cell, r.verdict);
  std::vector<StageId> stages = r.stages;  // but those that a user has cancelled
  std::erase_if(stages, [&](const StageId& stage) { return sweep.dropped.contains(unit_of(stage)); });
  drop_trials(sweep, {r.stages.begin(), r.stages.end()});
  for (const StageId& stage : stages) {
    const Unit& unit = units_.at(unit_of(stage));
    const bool is_dropped = sweep.dropped.contains(unit.id);
    if (is_dropped || unit.life == UnitLife::completed) sweep.races.stop(stage, !is_dropped);
  }
}

void State::on(const EarlyVerdictsLifted& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  for (const CellId& cell : r.cells) {
    RT_CHECK(sweep.races.verdicts.erase(cell) == 1);
    count_again(units_, cell, sweep);
  }
}

}  // namespace ranktide
