#include "coordinator/core/scheduler.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/vocabulary/check.h"
#include "coordinator/core/microbatches.h"
#include "coordinator/core/needs.h"
#include "coordinator/core/work_inputs.h"

namespace ranktide {
namespace {

// Slots that the sweeps of each owner use now. A unit that two sweeps of an owner want counts twice.
std::map<std::string, int64_t> slots_by_owner(const State& state) {
  std::map<std::string, int64_t> out;
  for (const auto& [priority, number] : state.queue()) {
    const Sweep& sweep = state.sweeps().at(number);
    out[sweep.owner] += sweep.running_units();
  }
  return out;
}

bool may_run_more(const State& state, const Sweep& sweep, int64_t slots_of_owner) {
  if (sweep.is_paused || sweep.is_stopped) return false;
  if (sweep.run.max_parallel && sweep.running_units() >= *sweep.run.max_parallel) return false;
  const auto quota = state.quotas().find(sweep.owner);
  return quota == state.quotas().end() || slots_of_owner < quota->second;
}

// Returns: the sweeps that may start something, in the order in which they are asked.
std::vector<SweepNumber> in_turn(const State& state) {
  const auto slots = slots_by_owner(state);
  std::vector<std::tuple<int, int64_t, SweepNumber>> order;
  for (const auto& [priority, number] : state.queue()) {
    const Sweep& sweep = state.sweeps().at(number);
    const int64_t used = slots.at(sweep.owner);
    if (may_run_more(state, sweep, used)) order.emplace_back(priority, used, number);
  }
  std::sort(order.begin(), order.end());
  std::vector<SweepNumber> out;
  for (const auto& [priority, used, number] : order) out.push_back(number);
  return out;
}

bool fits_a_worker(const State& state, const Unit& unit) {
  return std::any_of(state.workers().begin(), state.workers().end(), [&](const auto& entry) {
    const Worker& worker = entry.second;
    return worker.is_joined && !worker.is_drain_asked && fits_somewhere(state, unit, worker);
  });
}

// Another sweep may still want the trunk, and be paused, or ask for slots that nobody has: then this one does
// not wait for it. Nor for a trunk that leaves it nothing. Nor on a slot that is too small for the trunk alone:
// the few that are not may be busy for long.
bool waits_for_trunk(const State& state, const Sweep& sweep, const Unit& unit, const WorkerName& worker,
                     const Slot& slot) {
  const Unit* trunk = state.find_unit(unit.trunk);
  if (!trunk || is_terminal(trunk->life) || !may_leave_for(*trunk, StageId{unit.id.text})) return false;
  if (trunk->life == UnitLife::running) return true;
  if (!trunk->wanted.contains(sweep.number)) return false;
  return fits(state, unit, worker, slot) ? fits(state, *trunk, worker, slot) : fits_a_worker(state, *trunk);
}

// Whether the checkpoint that it begins from lies with another worker than `name`, which is there to go on from
// it.
bool is_for_trunks_worker(const State& state, const Unit& unit, const WorkerName& name) {
  const Unit* trunk = state.find_unit(unit.trunk);
  if (!trunk || trunk->life != UnitLife::completed || unit.checkpoint < unit.leaves_trunk_at) return false;
  const WorkerName& home = trunk->attempt.worker;
  const bool has_moved = unit.attempt.number > 0 && unit.attempt.worker != home;
  const Worker* worker = state.find_worker(home);
  if (home == name || has_moved || !worker || !worker->is_joined || worker->is_drain_asked) return false;
  return !state.has_refused(home, unit.id) && fits_somewhere(state, unit, *worker);
}

bool is_gone(const State& state, const WorkerName& name) {
  const Worker* worker = state.find_worker(name);
  return !worker || !worker->is_joined || worker->is_drain_asked;
}

// Whether something went on from what the trunk's last attempt left. Of workers that go as soon as they have
// trained a trunk none is worth another.
bool has_served(const State& state, const Unit& trunk) {
  const auto& branches = trunk.attempt.branches;
  return std::any_of(branches.begin(), branches.end(), [&](const BranchOrder& order) {
    const AttemptState& attempt = state.units().at(unit_of(order.stage)).attempt;
    return attempt.number > 0 && (attempt.worker == trunk.attempt.worker || attempt.began_at > order.at);
  });
}

// Each time spends a loss, so that it ends.
bool is_worth_another_time(const State& state, const Unit& trunk, const RunPolicy& policy) {
  return trunk.life == UnitLife::completed && is_gone(state, trunk.attempt.worker) &&
         trunk.infra_losses < policy.retry.infra && has_served(state, trunk) &&
         waiting_branches(state, trunk).size() > 1;
}

// Whether `name` would train the unit from its base because the checkpoint for it is out of reach, while its
// trunk may serve several once more.
bool is_of_lost_trunk(const State& state, const Unit& unit, const WorkerName& name) {
  const Unit* trunk = state.find_unit(unit.trunk);
  if (!trunk || unit.attempt.number > 0 || unit.checkpoint == 0) return false;
  return trunk->attempt.worker != name && is_worth_another_time(state, *trunk, policy_of(state, unit));
}

// Whether it has kept what an earlier attempt of the trunk left for the unit, and may go on from there now.
bool has_kept(const State& state, const WorkerName& name, const Unit& unit) {
  const auto saved = unit.saved.find(name);
  return unit.attempt.number == 0 && saved != unit.saved.end() && saved->second >= unit.leaves_trunk_at &&
         !state.has_refused(name, unit.id);
}

// Whether the trunk, for this worker, is a longer way to what it has kept: of all that waits for it.
bool is_kept_beginning(const State& state, const Unit& trunk, const WorkerName& name) {
  bool waits = false;
  for (const auto& [id, at] : trunk.branches) {
    const Unit& branch = state.units().at(id);
    if (!is_waiting_branch(trunk, branch)) continue;
    if (!has_kept(state, name, branch)) return false;
    waits = true;
  }
  return waits;
}

// Whether it can begin where that lies which it needs, so that nobody has to fetch it.
bool has_room_at_home(const State& state, const Unit& unit) {
  if (is_gone(state, unit.home) || state.has_refused(unit.home, unit.id)) return false;
  const std::vector<Slot> slots = free_slots(state, *state.find_worker(unit.home));
  return std::any_of(slots.begin(), slots.end(),
                     [&](const Slot& slot) { return fits(state, unit, unit.home, slot); });
}

bool can_be_fetched(const std::vector<TrialId>& needed, const std::set<TrialId>& shelved) {
  return std::all_of(needed.begin(), needed.end(),
                     [&](const TrialId& trial) { return shelved.contains(trial); });
}

// Whoever has run it, or the trunk that it goes on from, has fetched what it needs.
bool is_for_others(const State& state, const Unit& unit, const WorkerName& worker,
                   const std::set<TrialId>& shelved) {
  const bool has_run_it = unit.attempt.number > 0 && unit.attempt.worker == worker;
  if (unit.home.empty() || unit.home == worker || has_run_it || unit.saved.contains(worker)) return false;
  if (!unit.stage || !can_be_fetched(artifacts_needed(unit.kind, *unit.stage), shelved)) return true;
  return has_room_at_home(state, unit);
}

struct Look {  // through a sweep's queue
  std::optional<UnitId> unit;
  int misfits = 0;
  int elsewhere = 0;  // trainings that only another worker can run
};

Look look_through(const State& state, const Sweep& sweep, const WorkerName& worker, const Slot& slot,
                  const Aside& aside) {
  Look look;
  for (const auto& [place, id] : sweep.ready) {
    if (aside.held_back.of(id) || state.has_refused(worker, id)) continue;
    const Unit& unit = state.units().at(id);
    if (is_for_others(state, unit, worker, aside.shelved)) {
      if (unit.kind == WorkKind::train) ++look.elsewhere;
      continue;
    }
    const bool waits = waits_for_trunk(state, sweep, unit, worker, slot) && !has_kept(state, worker, unit);
    if (waits || is_for_trunks_worker(state, unit, worker)) continue;
    if (unit.is_trunk() && is_kept_beginning(state, unit, worker)) continue;
    if (fits(state, unit, worker, slot)) {
      look.unit = id;
      return look;
    }
    if (++look.misfits == kMisfitsMax) return look;
  }
  return look;
}

Pick run_or_train_again(const State& state, const UnitId& id, const WorkerName& worker) {
  const Unit& unit = state.units().at(id);
  if (is_of_lost_trunk(state, unit, worker)) return TrainAgain{unit.trunk};
  return RunUnit{id};
}

// What restores more without anything else comes later; the order of the enum is another.
constexpr std::array kByWhatIsKept{Keep::none, Keep::adapters, Keep::delta, Keep::weights, Keep::checkpoints};

Keep most_kept(Keep a, Keep b) {
  const auto place = [](Keep keep) { return std::find(kByWhatIsKept.begin(), kByWhatIsKept.end(), keep); };
  return place(a) < place(b) ? b : a;
}

}  // namespace

Pick pick(const State& state, const WorkerName& worker, const Slot& slot, const Aside& aside) {
  for (const SweepNumber number : in_turn(state)) {
    const Sweep& sweep = state.sweeps().at(number);
    const Look look = look_through(state, sweep, worker, slot, aside);
    if (look.unit) return run_or_train_again(state, *look.unit, worker);
    if (aside.may_list && !sweep.is_listed && look.misfits + look.elsewhere < kMisfitsMax)
      return ListNext{number};
  }
  return NothingFits{};
}

std::vector<Slot> free_slots(const State& state, const Worker& worker) {
  std::set<int> taken;
  for (const UnitId& unit : worker.running)
    for (const int slot : state.units().at(unit).attempt.slots) taken.insert(slot);
  std::vector<Slot> out;
  for (const Slot& slot : worker.slots)
    if (!taken.contains(slot.index)) out.push_back(slot);
  return out;
}

bool offer_the_same(const Slot& a, const Slot& b) {
  return a.memory_bytes == b.memory_bytes && a.labels == b.labels && (a.device == "cpu") == (b.device == "cpu");
}

std::vector<BranchOrder> waiting_branches(const State& state, const Unit& trunk) {
  std::vector<BranchOrder> out;
  for (const auto& [id, at] : trunk.branches) {
    const Unit& branch = state.units().at(id);
    if (is_waiting_branch(trunk, branch) && branch.checkpoint == at) out.push_back({StageId{id.text}, at});
  }
  return out;
}

bool is_waiting_branch(const Unit& trunk, const Unit& branch) {
  return branch.trunk == trunk.id && branch.life == UnitLife::ready && branch.attempt.number == 0;
}

std::optional<Step> earlier_end(const State& state, const Unit& trunk, const WorkerName& worker) {
  Step last = 0;
  for (const auto& [id, at] : trunk.branches) {
    const bool waits = is_waiting_branch(trunk, state.units().at(id));
    if (waits && may_leave_for(trunk, StageId{id.text})) last = std::max(last, at);
  }
  if (last == 0) return std::nullopt;  // a sweep that was edited may yet list some
  const auto saved = trunk.saved.find(worker);
  const Step end = std::max(last, saved == trunk.saved.end() ? 0 : saved->second);
  return end < trunk.stage->to ? std::optional(end) : std::nullopt;
}

bool may_leave_for(const Unit& trunk, const StageId& branch) {
  const auto& asked = trunk.attempt.branches;
  const bool was_asked =
      std::any_of(asked.begin(), asked.end(), [&](const BranchOrder& each) { return each.stage == branch; });
  return was_asked || (trunk.life != UnitLife::running && trunk.checkpoint == 0);
}

RunPolicy policy_of(const State& state, const Unit& unit) {
  RT_CHECK(!unit.wanted.empty());
  std::optional<RunPolicy> out;
  for (const auto& [number, place] : unit.wanted) {
    const RunPolicy& wish = state.sweeps().at(number).run;
    if (!out) {
      out = wish;
      continue;
    }
    out->retry.own = std::max(out->retry.own, wish.retry.own);
    out->retry.infra = std::max(out->retry.infra, wish.retry.infra);
    out->lease_ms = std::max(out->lease_ms, wish.lease_ms);
    out->checkpoint_every_ms = std::min(out->checkpoint_every_ms, wish.checkpoint_every_ms);
    out->keep = most_kept(out->keep, wish.keep);
    out->require_exact = out->require_exact || wish.require_exact;
  }
  out->microbatch = microbatch_by_hand(state, unit);
  return *out;
}

Work work_of(const State& state, const Unit& unit) {
  Work work{.kind = unit.kind,
            .stage = unit.stage,
            .base = unit.base,
            .tokenizer_sha256 = unit.tokenizer_sha256,
            .model = unit.model,
            .evals = {},
            .keep = unit.attempt.keep,
            .microbatch = unit.attempt.microbatch,
            .resume_at_most = unit.attempt.began_at,
            .inputs = {},
            .branches = unit.attempt.branches};
  if (!unit.wanted.empty()) {
    const RunPolicy policy = policy_of(state, unit);
    work.checkpoint_every_ms = policy.checkpoint_every_ms;
    work.require_exact = policy.require_exact || unit.is_trunk();  // from one that is not no trial goes on
  }
  for (const EvalId& id : unit.attempt.evals) {
    const auto order = unit.evals.find(id);
    if (order != unit.evals.end()) work.evals.push_back(order->second);
  }
  work.inputs = inputs_of(state, unit, work);
  return work;
}

}  // namespace ranktide
