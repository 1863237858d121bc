// The part of State that knows which units begin with a trunk (common/sweep/trunk.h).

#include <algorithm>
#include <map>

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
  trunk.home = branch.home;
  if (is_terminal(trunk.life)) {
    trunk.own_failures = trunk.infra_losses = 0;
    trunk.outcome.reset();
    set_life(trunk, UnitLife::ready);
  }
  // What runs was told where it ends, which may be earlier by now.
  if (trunk.life != UnitLife::running) trunk.set_stage(trunk_stage(*branch.stage, place.trunk, place.to));
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

// What the sweep wants, or has wanted since a revision of it was listed to its end, begins with these.
std::set<UnitId> State::trunks_of(const Sweep& sweep) const {
  std::set<UnitId> out = sweep.trunks_before;
  for (const UnitId& id : sweep.units)
    if (const Unit& unit = units_.at(id); !unit.trunk.empty()) out.insert(unit.trunk);
  return out;
}

// The trunk ran the evals before the checkpoint that it left. Who asks for another one there has the trial
// trained from its base, as long as it was not begun. What no eval is asked for before stays, also while the
// trunk is trained again.
void State::begin_anew_for_evals(Unit& unit) {
  if (unit.trunk.empty() || unit.attempt.number > 0 || !unit.stage) return;
  const auto is_past_an_eval = [&](Step reached) {
    return std::any_of(unit.evals.begin(), unit.evals.end(), [&](const auto& entry) {
      return is_on_trunk(entry.second.at, reached, unit.stage->to);
    });
  };
  if (is_past_an_eval(unit.checkpoint)) unit.checkpoint = 0;
  std::erase_if(unit.saved, [&](const auto& entry) {
    if (!is_past_an_eval(entry.second)) return false;
    leave_behind_at(entry.first, unit.lease());
    return true;
  });
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
    branch.saved[units_.at(r.lease.unit).attempt.worker] = order.at;
  }
  leave_behind(units_.at(r.lease.unit));
}

// What it is not to run for any more, whether it goes on or has ended, has nothing to do with it from now on.
void State::keep_branches(Unit& trunk, const std::vector<BranchOrder>& kept) {
  std::map<UnitId, Step> branches;
  for (const BranchOrder& order : kept) branches.emplace(unit_of(order.stage), order.at);
  for (const auto& [id, at] : trunk.branches)
    if (Unit& other = units_.at(id); other.trunk == trunk.id && !branches.contains(id)) other.trunk = {};
  trunk.branches = std::move(branches);
}

void State::end_trunk_at(Unit& trunk, Step to) {
  RT_CHECK(to > 0);
  RT_CHECK(to < trunk.stage->to);
  std::vector<BranchOrder> kept;
  for (const auto& [id, at] : trunk.branches)
    if (at <= to) kept.push_back({StageId{id.text}, at});
  RT_CHECK(!kept.empty());
  keep_branches(trunk, kept);
  trunk.set_stage(trunk_stage(*trunk.stage, StageId{trunk.id.text}, to));
}

// Who wants a branch that waits wants the trunk again, and nobody else does. What its worker has for them stays
// known: it may come back before there is another.
void State::on(const TrunkReopened& r) {
  Unit& trunk = units_.at(r.lease.unit);
  RT_CHECK(trunk.life == UnitLife::completed);
  RT_CHECK(trunk.lease() == r.lease);
  RT_CHECK(r.branches.size() > 1);
  keep_branches(trunk, r.branches);
  Step to = 0;
  std::map<SweepNumber, int64_t> wanting;  // and the place of its first
  for (const BranchOrder& order : r.branches) {
    Unit& branch = units_.at(unit_of(order.stage));
    RT_CHECK(branch.life == UnitLife::ready);
    RT_CHECK(branch.attempt.number == 0);
    branch.checkpoint = 0;
    to = std::max(to, order.at);
    for (const auto& [sweep, place] : branch.wanted) {
      const auto first = wanting.emplace(sweep, place).first;
      first->second = std::min(first->second, place);
    }
  }
  trunk.set_stage(trunk_stage(*units_.at(trunk.branches.begin()->first).stage, StageId{trunk.id.text}, to));
  trunk.checkpoint = 0;
  trunk.outcome.reset();
  ++trunk.infra_losses;
  set_life(trunk, UnitLife::ready);
  for (const auto& [sweep, place] : wanting) want(sweeps_.at(sweep), trunk, place);
  for (const auto& [sweep, place] : std::map(trunk.wanted))
    if (!wanting.contains(sweep)) drop(sweeps_.at(sweep), trunk);
}

// What went on at the trunk's worker has checkpoints of its own there.
std::vector<Lease> State::unused_branches(const Unit& trunk) const {
  std::vector<Lease> out;
  for (const BranchOrder& order : trunk.attempt.branches) {
    const Unit& branch = units_.at(unit_of(order.stage));
    const auto saved = branch.saved.find(trunk.attempt.worker);
    const bool went_on_there = (branch.attempt.number > 0 && branch.attempt.worker == trunk.attempt.worker) ||
                               (saved != branch.saved.end() && saved->second > order.at);
    if (branch.trunk == trunk.id && !went_on_there) out.push_back(branch.lease());
  }
  return out;
}

// Who is there is told at once, and not remembered.
void State::leave_behind_at(const WorkerName& name, const Lease& lease) {
  const auto worker = workers_.find(name);
  if (worker != workers_.end() && !worker->second.is_joined) worker->second.left_behind.insert(lease);
}

std::vector<WorkerName> State::copies_elsewhere(const Unit& unit) const {
  const Unit* trunk = find_unit(unit.trunk);
  std::vector<WorkerName> out;
  for (const auto& [name, step] : unit.saved)
    if (name != unit.attempt.worker && !(trunk && trunk->attempt.worker == name)) out.push_back(name);
  return out;
}

// What waits for its newest checkpoint does not need those any more that earlier attempts of the trunk left
// with other workers.
void State::leave_behind(const Unit& trunk) {
  for (const auto& [id, at] : trunk.branches) {
    Unit& branch = units_.at(id);
    if (branch.trunk != trunk.id || branch.attempt.number > 0) continue;
    std::erase_if(branch.saved, [&](const auto& entry) {
      if (entry.first == trunk.attempt.worker) return false;
      leave_behind_at(entry.first, branch.lease());
      return true;
    });
  }
}

// Those that are tried again begin at their base, or where they came to by themselves.
void State::on(const BranchesClosed& r) {
  const Unit& trunk = units_.at(r.lease.unit);
  RT_CHECK(is_terminal(trunk.life));
  RT_CHECK(trunk.lease() == r.lease);
  for (const Lease& lease : r.branches) {
    Unit& branch = units_.at(lease.unit);
    RT_CHECK(is_terminal(branch.life));
    RT_CHECK(branch.trunk == trunk.id);
    leave_behind_at(trunk.attempt.worker, lease);
    branch.trunk = {};
    branch.saved.erase(trunk.attempt.worker);
    branch.checkpoint = left_without_trunk(trunk, branch);
  }
}

Step State::left_without_trunk(const Unit& trunk, const Unit& branch) {
  if (branch.checkpoint > branch.leaves_trunk_at) return branch.checkpoint;
  Step out = 0;
  for (const auto& [name, step] : branch.saved)
    if (name != trunk.attempt.worker) out = std::max(out, step);
  return out;
}

void State::on(const TrunkDropped& r) {
  Unit& trunk = units_.at(r.unit);
  drop(sweeps_.at(r.sweep), trunk);
  RT_CHECK(!r.ended || trunk.life == UnitLife::cancelled);
}

}  // namespace ranktide
