// What several trials begin with, computed once (common/sweep/trunk.h).

#include <algorithm>
#include <map>
#include <utility>

#include "common/sweep/trunk.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/needs.h"
#include "coordinator/core/scheduler.h"

namespace ranktide {
namespace {

// Whether there is something to save on: it has no result, was not begun, and is not listed for something else.
bool is_to_be_begun(const State& state, const Sweep& sweep, const SweepTrial& trial) {
  if (sweep.trials.contains(trial.index)) return false;
  const Unit* unit = state.find_unit(unit_of(trial.stage));
  if (!unit) return true;
  const bool may_begin = unit->life == UnitLife::ready || unit->life == UnitLife::cancelled;
  return may_begin && unit->attempt.number == 0 && unit->checkpoint == 0;
}

// Whether every eval that is wanted of the weights before the branch has its result: what goes on from a
// checkpoint cannot go back to them.
bool has_its_evals(const State& state, const Unit& branch) {
  for (const auto& [id, order] : branch.evals)
    if (is_on_trunk(order.at, branch.leaves_trunk_at, branch.stage->to) && !state.evals().at(id).wanted.empty())
      return false;
  return true;
}

// Whether a sweep that was edited, or is tried again, may still list trials that begin with this trunk, as its
// revision before did.
bool may_list_again(const State& state, const Unit& trunk) {
  return std::any_of(state.queue().begin(), state.queue().end(), [&](const auto& entry) {
    const Sweep& sweep = state.sweeps().at(entry.second);
    return sweep.trunks_before.contains(trunk.id) && !sweep.is_stopped;
  });
}

bool is_waited_for(const State& state, const Unit& trunk) {
  return std::any_of(trunk.branches.begin(), trunk.branches.end(), [&](const auto& entry) {
    return is_waiting_branch(trunk, state.units().at(entry.first));
  });
}

}  // namespace

// Returns: the trial and those that share its beginning, with their places; empty when none does. Rows that
// were set by hand make a trunk inexact, which serves nobody; what may be stopped early runs by itself.
std::vector<TrialBranch> Coordinator::branches_beside(const Sweep& sweep, const SweepTrial& trial) const {
  if (sweep.run.microbatch || sweep.run.stop_early || !is_to_be_begun(state_, sweep, trial))
    return {};  // a look beside costs more
  std::vector<SweepTrial> open = trials_beside(sweep.grid, trial);
  std::erase_if(open, [&](const SweepTrial& each) { return !is_to_be_begun(state_, sweep, each); });
  std::vector<TrialBranch> out = branches_of(open);
  const bool is_one_of_them = std::any_of(
      out.begin(), out.end(), [&](const TrialBranch& each) { return each.trial.index == trial.index; });
  return is_one_of_them ? out : std::vector<TrialBranch>{};
}

// Those that begin alike are listed together, ahead of their turn: a trunk must know all of its branches, and
// the evals that they want of it, before it runs.
void Coordinator::list_with_its_like(const Sweep& sweep, const SweepTrial& trial) {
  const auto list_one = [&](const SweepTrial& each, std::optional<TrunkPlace> place) {
    const PredictedMemory memory =
        predicted_memory(sweep.grid.spec().inputs, each.settings, sweep.run.microbatch);
    const bool ahead = each.index != trial.index;
    const Unit* trunk = place ? state_.find_unit(unit_of(place->trunk)) : nullptr;
    if (trunk && !may_leave_for(*trunk, each.stage)) place.reset();  // it has begun without this one
    const Unit* known = state_.find_unit(unit_of(each.stage));
    const std::map<WorkerName, Step> saved = known ? known->saved : std::map<WorkerName, Step>{};
    list(TrialListed{sweep.number, sweep.revision, each, memory, ahead, std::move(place)});
    const Unit& unit = state_.units().at(unit_of(each.stage));
    for (const auto& [name, step] : saved)  // where it begins anew, for an eval that comes before
      if (!unit.saved.contains(name)) drop_copies(name, unit.lease());
  };
  const std::vector<TrialBranch> branches = branches_beside(sweep, trial);
  if (branches.empty()) return list_one(trial, {});
  for (const TrialBranch& each : branches)
    if (each.trial.index == trial.index) list_one(each.trial, each.place);
  for (const TrialBranch& each : branches)
    if (each.trial.index != trial.index) list_one(each.trial, each.place);
}

// A trunk has no curve of its own: its steps are those of every trial that begins with it.
void Coordinator::take_points(const Unit& unit, const std::vector<Point>& points) {
  const Attempt attempt = unit.attempt.number;
  if (!unit.is_trunk()) return out_->points.push_back({unit.stage->id, attempt, points});
  for (const BranchOrder& branch : unit.attempt.branches) {
    PointBatch batch{branch.stage, attempt, {}};
    for (const Point& point : points)
      if (point.step <= branch.at) batch.points.push_back(point);
    if (!batch.points.empty()) out_->points.push_back(std::move(batch));
  }
}

void Coordinator::open_branches(const Lease& lease) {
  const Unit& trunk = state_.units().at(lease.unit);
  BranchesOpened opened{.lease = lease, .branches = {}};
  for (const BranchOrder& order : trunk.attempt.branches) {
    const Unit& branch = state_.units().at(unit_of(order.stage));
    const bool is_fresh = branch.life == UnitLife::ready && branch.attempt.number == 0;
    if (!is_fresh || branch.trunk != trunk.id || !has_its_evals(state_, branch)) continue;
    opened.branches.push_back(order);
    for (const auto& [name, step] : branch.saved)  // by an earlier attempt, at workers that were away since
      if (name != trunk.attempt.worker) drop_copies(name, branch.lease());
  }
  if (!opened.branches.empty()) decide(std::move(opened));
}

std::vector<UnitId> Coordinator::open_trunks_of(const Sweep& sweep) const {
  std::vector<UnitId> out;
  for (const auto& [place, id] : sweep.ready)
    if (state_.units().at(id).is_trunk()) out.push_back(id);
  for (const auto& [worker, lease] : running_of(sweep)) {
    const Unit& unit = state_.units().at(lease.unit);
    if (unit.is_trunk() && unit.wanted.contains(sweep.number)) out.push_back(unit.id);
  }
  return out;
}

bool Coordinator::has_open_branch(const Unit& trunk, const Sweep& sweep) const {
  return std::any_of(trunk.branches.begin(), trunk.branches.end(), [&](const auto& entry) {
    const Unit& branch = state_.units().at(entry.first);
    return !is_terminal(branch.life) && branch.wanted.contains(sweep.number);
  });
}

void Coordinator::drop_trunk(const Sweep& sweep, const UnitId& id) {
  const Unit& trunk = state_.units().at(id);
  TrunkDropped dropped{.sweep = sweep.number, .unit = id, .ended = {}};
  if (trunk.life == UnitLife::running && trunk.wanted.size() == 1) dropped.ended = trunk.lease();
  decide(std::move(dropped));
}

void Coordinator::reopen(const Unit& trunk) {
  decide(TrunkReopened{trunk.lease(), waiting_branches(state_, trunk)});
}

// Listening to records, as note_end() does.
void Coordinator::note_branch(const Record& record) {
  if (const auto* granted = std::get_if<LeaseGranted>(&record)) left_.insert(granted->lease.unit);
  if (const auto* finished = std::get_if<UnitFinished>(&record)) left_.insert(finished->lease.unit);
  if (const auto* failed = std::get_if<AttemptFailed>(&record)) left_.insert(failed->lease.unit);
  if (const auto* expired = std::get_if<LeaseExpired>(&record)) left_.insert(expired->lease.unit);
  if (const auto* returned = std::get_if<LeaseReturned>(&record)) left_.insert(returned->lease.unit);
  if (const auto* cancelled = std::get_if<TrialsCancelled>(&record))
    for (const StageId& stage : cancelled->stages) left_.insert(unit_of(stage));
  if (const auto* stopped = std::get_if<CellStoppedEarly>(&record))
    for (const StageId& stage : stopped->stages) left_.insert(unit_of(stage));
  const auto* listed = std::get_if<SweepListed>(&record);
  has_dropped_ = has_dropped_ || (listed && listed->revision > 1) ||
                 std::holds_alternative<SweepCancelled>(record) ||
                 std::holds_alternative<SweepStopped>(record) || std::holds_alternative<TrunkDropped>(record);
}

void Coordinator::close_ended_branches() {
  std::set<UnitId> trunks;
  for (const UnitId& id : std::exchange(left_, {}))
    if (const UnitId& trunk = state_.units().at(id).trunk; !trunk.empty()) trunks.insert(trunk);
  if (std::exchange(has_dropped_, false))  // seldom, and by a hand that looks at as much
    for (const auto& [id, unit] : state_.units())
      if (unit.is_trunk()) trunks.insert(id);
  for (const UnitId& trunk : trunks) close_branches(state_.units().at(trunk));
}

// One that goes on while all that begins with it has begun without it, as by what a worker that came back had
// kept, is dropped. Of one that has ended the worker would keep those checkpoints for weeks, since nothing else
// tells it that nobody goes on from them. It hears of it once, by a Stop of what never ran there; where that is
// lost, they go by their age.
void Coordinator::close_branches(const Unit& trunk) {
  if (may_list_again(state_, trunk)) return;
  if (!is_terminal(trunk.life)) {
    if (is_waited_for(state_, trunk)) return;
    const bool is_running = trunk.life == UnitLife::running;
    const Running running = is_running ? Running{{trunk.attempt.worker, trunk.lease()}} : Running{};
    for (const auto& [number, place] : std::map(trunk.wanted)) drop_trunk(state_.sweeps().at(number), trunk.id);
    return kill_unwanted(running);
  }
  const bool has_open = std::any_of(trunk.branches.begin(), trunk.branches.end(), [&](const auto& entry) {
    const Unit& branch = state_.units().at(entry.first);
    return branch.trunk == trunk.id && !is_terminal(branch.life);
  });
  BranchesClosed closed{.lease = trunk.lease(), .branches = state_.unused_branches(trunk), .left = {}};
  if (has_open || closed.branches.empty()) return;
  for (const Lease& branch : closed.branches)
    closed.left.push_back(State::left_without_trunk(trunk, state_.units().at(branch.unit)));
  decide(closed);
  for (const Lease& branch : closed.branches) drop_copies(trunk.attempt.worker, branch);
}

}  // namespace ranktide
