// The part of State that early stopping changes.

#include "common/sweep/identity.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/race.h"
#include "coordinator/core/state.h"

namespace ranktide {
namespace {

EvalId eval_at_rung(const SweepTrial& trial, Step at) {
  return eval_id(trial.stage, at, trial.race->task.spec_id);
}

}  // namespace

void State::enter_race(Sweep& sweep, const SweepTrial& trial) {
  if (!trial.race) return;
  const std::string group = race_group(sweep.grid.spec(), trial);
  int rung = 0;
  for (const Step at : trial.race->rungs) {
    const EvalId id = eval_at_rung(trial, at);
    sweep.racers[id] = {.stage = trial.stage, .group = group, .rung = ++rung, .at = at};
    sweep.rungs[{group, rung}].insert(id);
  }
}

// Who tries a trial again wants it to its end. What it has shown still counts for the others.
void State::leave_race(Sweep& sweep, const SweepTrial& trial) {
  if (!trial.race) return;
  for (const Step at : trial.race->rungs) sweep.racers.erase(eval_at_rung(trial, at));
}

void State::on(const TrialStoppedEarly& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  Unit& unit = units_.at(unit_of(r.stage));
  RT_CHECK(!is_terminal(unit.life));
  RT_CHECK(unit.wanted.contains(r.sweep));
  drop_evals(sweep, unit);
  drop(sweep, unit);
  requeue(sweep);
}

}  // namespace ranktide
