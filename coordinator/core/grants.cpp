// What runs next, and where.

#include <algorithm>

#include "common/vocabulary/check.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/microbatches.h"
#include "coordinator/core/needs.h"
#include "coordinator/core/scheduler.h"

namespace ranktide {

bool Coordinator::may_get_work(const Worker& worker) const {
  if (!worker.is_joined || worker.is_drain_asked || rests_.of(worker.name)) return false;
  const Session& session = sessions_.at(worker.name);
  return session.is_introduced && !session.is_draining && now_ < session.heard + config_.suspect_after;
}

void Coordinator::fill_free_slots() {
  has_room_ = false;
  is_listing_ = false;
  bool was_one_idle = false;  // of those that were asked so far
  for (const auto& [name, worker] : state_.workers()) {
    if (!may_get_work(worker)) continue;
    const Slot* idle = nullptr;  // the last for which there was nothing: its like need not be asked
    bool has_got_some = false;
    const std::vector<Slot> slots = free_slots(state_, worker);
    for (const Slot& slot : slots) {
      if (idle && offer_the_same(*idle, slot)) continue;
      const bool is_filled = fill(worker, slot);
      if (!is_filled) idle = &slot;
      has_got_some = has_got_some || is_filled;
    }
    // What it has room for no more, one that was asked before it may fetch.
    has_room_ = has_room_ || (was_one_idle && has_got_some && !shelved_.empty());
    was_one_idle = was_one_idle || idle;
  }
}

// Returns: whether the slot got work. Listing stops at the first trial that leaves something to run, at the
// grid's end, or where this step has listed enough: what is ready of sweeps whose turn comes later goes first
// then, and a slot for which nothing is waits for the next step.
bool Coordinator::fill(const Worker& worker, const Slot& slot) {
  Aside aside{.held_back = backoffs_, .shelved = shelved_};
  for (;;) {
    const Pick picked = pick(state_, worker.name, slot, aside);
    if (const auto* list = std::get_if<ListNext>(&picked)) {
      if (has_listed_enough()) {
        is_listing_ = true;
        aside.may_list = false;
        continue;
      }
      list_next(state_.sweeps().at(list->sweep));
      continue;
    }
    if (const auto* again = std::get_if<TrainAgain>(&picked)) {
      reopen(state_.units().at(again->trunk));
      continue;
    }
    const auto* run = std::get_if<RunUnit>(&picked);
    if (run) grant(worker, slot, run->unit);
    return run != nullptr;
  }
}

// A journal may hold a sweep from before look_at() saw this fault: it ends, and the coordinator does not.
void Coordinator::list_next(const Sweep& sweep) {
  try {
    list_first_after(sweep);
  } catch (const SpecError& error) {
    cancel_sweep(sweep, "unlistable", error.what());
  } catch (const ExpressionError& error) {
    cancel_sweep(sweep, "unlistable", error.what());
  }
}

bool Coordinator::has_listed_enough() const {
  return listed_ >= config_.listed_at_once || walked_ >= config_.walked_at_once;
}

int64_t Coordinator::next_place(const Sweep& sweep) const {
  const auto walk = walks_.find(sweep.number);
  const bool is_known = walk != walks_.end() && walk->second.revision == sweep.revision;
  return is_known ? std::max(sweep.cursor, walk->second.to) : sweep.cursor;
}

void Coordinator::list_first_after(const Sweep& sweep) {
  for (int64_t index = next_place(sweep); index < sweep.raw_count(); ++index, ++walked_) {
    if (walked_ >= config_.walked_at_once) {
      walks_[sweep.number] = {.revision = sweep.revision, .to = index};
      return;
    }
    if (sweep.trials.contains(index)) continue;  // ahead of its turn
    const auto trial = sweep.trial_at(index);
    if (!trial) continue;
    if (trial->provisional) throw SpecError("trial " + trial->id.brief() + " names an input that was not read");
    if (index < sweep.grid.raw_count()) return list_with_its_like(sweep, *trial);
    return list_added(sweep, *trial);
  }
  if (lift_verdicts(sweep)) return;
  decide(SweepListed{sweep.number, sweep.revision});
  extend_listed(sweep);
}

void Coordinator::list(const TrialListed& listed) {
  const Sweep& sweep = state_.sweeps().at(listed.sweep);
  ++listed_;
  decide(listed);
  stop_if_out(sweep, listed.trial);
}

// It stands beside no other trial of the grid, so that it shares no trunk.
void Coordinator::list_added(const Sweep& sweep, const SweepTrial& trial) {
  const PredictedMemory memory =
      predicted_memory(sweep.grid.spec().inputs, trial.settings, sweep.run.microbatch);
  list(TrialListed{sweep.number, sweep.revision, trial, memory});
}

void Coordinator::list_ahead(const Sweep& sweep, const SweepTrial& trial) {
  const PredictedMemory memory =
      predicted_memory(sweep.grid.spec().inputs, trial.settings, sweep.run.microbatch);
  list(TrialListed{sweep.number, sweep.revision, trial, memory, true});
}

void Coordinator::grant(const Worker& worker, const Slot& slot, const UnitId& id) {
  const Unit& unit = state_.units().at(id);
  RT_CHECK(fits(state_, unit, worker.name, slot));
  const RunPolicy policy = policy_of(state_, unit);
  LeaseGranted granted{.lease = {id, unit.attempt.number + 1},
                       .worker = worker.name,
                       .boot = worker.boot,
                       .slots = {slot.index},
                       .evals = {},
                       .microbatch = microbatch_to_grant(state_, unit, slot),
                       .keep = unit.is_trunk() ? Keep::none : policy.keep};
  if (unit.is_trunk()) granted.trunk_to = earlier_end(state_, unit, worker.name);
  for (const auto& [eval, order] : unit.evals) {
    const EvalState& found = state_.evals().at(eval);
    if (granted.trunk_to && order.at > *granted.trunk_to) continue;
    if (!found.wanted.empty() && !found.is_finished) granted.evals.push_back(eval);
  }
  decide(std::move(granted));
  renew(id);
  terms_.at(id).next_seq = 1;
  say_grant(id);
}

void Coordinator::say_grant(const UnitId& id) {
  const Unit& unit = state_.units().at(id);
  send(unit.attempt.worker, Grant{.lease = unit.lease(),
                                  .boot = unit.attempt.boot,
                                  .slots = unit.attempt.slots,
                                  .work = work_of(state_, unit)});
}

}  // namespace ranktide
