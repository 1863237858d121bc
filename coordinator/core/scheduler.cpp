#include "coordinator/core/scheduler.h"

#include <algorithm>
#include <set>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

bool may_run_more(const Sweep& sweep) {
  const auto& limit = sweep.grid.spec().run.max_parallel;
  return !limit || sweep.running_units() < *limit;
}

std::optional<UnitId> first_fitting(const State& state, const Sweep& sweep, const WorkerName& worker,
                                    const Deadlines<UnitId>& held_back) {
  for (const auto& [place, id] : sweep.ready) {
    if (held_back.of(id)) continue;
    const WorkerName& home = state.units().at(id).home;
    if (home.empty() || home == worker) return id;
  }
  return std::nullopt;
}

// `none` keeps least and `checkpoints` most: the order of the enum.
Keep most_kept(Keep a, Keep b) {
  return std::max(a, b);
}

}  // namespace

Pick pick(const State& state, const WorkerName& worker, const Deadlines<UnitId>& held_back) {
  for (const auto& [priority, number] : state.queue()) {
    const Sweep& sweep = state.sweeps().at(number);
    if (!may_run_more(sweep)) continue;
    if (const auto unit = first_fitting(state, sweep, worker, held_back)) return RunUnit{*unit};
    if (!sweep.is_listed) return ListNext{number};
  }
  return NothingFits{};
}

std::optional<int> free_slot(const State& state, const Worker& worker) {
  std::set<int> taken;
  for (const UnitId& unit : worker.running)
    for (const int slot : state.units().at(unit).attempt.slots) taken.insert(slot);
  for (const Slot& slot : worker.slots)
    if (!taken.contains(slot.index)) return slot.index;
  return std::nullopt;
}

RunPolicy policy_of(const State& state, const Unit& unit) {
  RT_CHECK(!unit.wanted.empty());
  std::optional<RunPolicy> out;
  for (const auto& [number, place] : unit.wanted) {
    const RunPolicy& wish = state.sweeps().at(number).grid.spec().run;
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
    // A micro-batch set by hand marks results as not exact, so it only holds while everybody wants one.
    if (!wish.microbatch) out->microbatch.reset();
  }
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
            .microbatch = unit.attempt.microbatch};
  if (!unit.wanted.empty()) work.checkpoint_every_ms = policy_of(state, unit).checkpoint_every_ms;
  for (const EvalId& id : unit.attempt.evals) {
    const auto order = unit.evals.find(id);
    if (order != unit.evals.end()) work.evals.push_back(order->second);
  }
  return work;
}

}  // namespace ranktide
