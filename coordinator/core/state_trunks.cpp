// The part of State that knows which units begin with a trunk (common/sweep/trunk.h).

#include <algorithm>

#include "common/vocabulary/check.h"
#include "coordinator/core/state.h"

namespace ranktide {

// Only what was never begun begins with a trunk, and with one at a time: two sweeps may have planned two of it.
bool State::may_begin_with(const UnitId& trunk, const Unit& branch) const {
  if (branch.life != UnitLife::ready || branch.attempt.number > 0 || branch.checkpoint > 0) return false;
  const Unit* other = find_unit(branch.trunk);
  if (other && other->id != trunk && !is_terminal(other->life)) return false;
  const Unit* wanted = find_unit(trunk);
  if (!wanted || wanted->branches.contains(branch.id)) return true;
  return wanted->branches.size() < kBranchesMax && wanted->evals.size() < kTrunkEvalsMax;
}

// A trunk that was finished has left its checkpoints already, and knew nothing of this branch: that is trained
// alone.
void State::want_trunk(Sweep& sweep, const SweepTrial& trial, const TrunkPlace& place) {
  Unit& branch = units_.at(unit_of(trial.stage));
  if (!may_begin_with(unit_of(place.trunk), branch)) return;
  Unit& trunk = units_[unit_of(place.trunk)];
  if (trunk.life == UnitLife::completed || trunk.life == UnitLife::diverged) return;
  trunk.id = unit_of(place.trunk);
  trunk.branches.emplace(branch.id, place.at);  // first: it is counted as a trunk
  trunk.base = branch.base;
  trunk.tokenizer_sha256 = branch.tokenizer_sha256;
  trunk.model = branch.model;
  trunk.memory = branch.memory;
  if (is_terminal(trunk.life)) {
    trunk.own_failures = trunk.infra_losses = 0;
    trunk.outcome.reset();
    set_life(trunk, UnitLife::ready);
  }
  trunk.stage = trunk_stage(trial, place);
  branch.trunk = trunk.id;
  branch.leaves_trunk_at = place.at;
  for (const auto& [id, order] : branch.evals)
    if (is_on_trunk(order.at, place.at, trial.steps)) trunk.evals.insert_or_assign(id, order);
  want(sweep, trunk, trial.index);
}

// An attempt that goes on from a checkpoint says nothing of the steps before it, so what an earlier one knew
// nothing of would lack them.
std::vector<BranchOrder> State::branches_of_attempt(const Unit& trunk) {
  std::vector<BranchOrder> out;
  for (const auto& [branch, at] : trunk.branches) {
    const StageId stage{branch.text};
    const auto& before = trunk.attempt.branches;
    const bool was_asked =
        std::any_of(before.begin(), before.end(), [&](auto& each) { return each.stage == stage; });
    if (trunk.checkpoint == 0 || was_asked) out.push_back({stage, at});
  }
  return out;
}

// The trunk ran the evals before the checkpoint that it left. Who asks for another one there has the trial
// trained from its base, as long as it was not begun.
void State::begin_anew_for_evals(Unit& unit) {
  if (unit.trunk.empty() || unit.attempt.number > 0 || !unit.stage) return;
  for (const auto& [id, order] : unit.evals)
    if (is_on_trunk(order.at, unit.checkpoint, unit.stage->to)) unit.checkpoint = 0;
}

// An eval on a trunk is wanted of the trunk and of its branch, whichever comes to it first.
void State::forget_eval(const Unit& unit, const EvalId& eval) {
  if (!unit.trunk.empty()) units_.at(unit.trunk).evals.erase(eval);
  for (const auto& [branch, at] : unit.branches) units_.at(branch).evals.erase(eval);
}

void State::on(const BranchesOpened& r) {
  RT_CHECK(units_.at(r.lease.unit).life == UnitLife::completed);
  for (const BranchOrder& order : r.branches) {
    Unit& branch = units_.at(unit_of(order.stage));
    RT_CHECK(branch.life == UnitLife::ready);
    RT_CHECK(branch.attempt.number == 0);
    branch.checkpoint = order.at;
  }
}

void State::on(const TrunkDropped& r) {
  Unit& trunk = units_.at(r.unit);
  drop(sweeps_.at(r.sweep), trunk);
  RT_CHECK(!r.ended || trunk.life == UnitLife::cancelled);
}

}  // namespace ranktide
