#include "coordinator/edge/live_picture.h"

#include <iterator>

namespace ranktide {
namespace {

// What is stopped early is dropped, or was completed when its value fell behind.
LifeCounts stages_but_stopped(const Sweep& sweep) {
  LifeCounts out = sweep.stages;
  const int64_t completed = sweep.races.stopped_completed;
  out[static_cast<size_t>(UnitLife::completed)] -= completed;
  out[static_cast<size_t>(UnitLife::cancelled)] -= std::ssize(sweep.races.stopped) - completed;
  return out;
}

SweepPicture picture_of(const Sweep& sweep) {
  return {.number = sweep.number,
          .name = sweep.name(),
          .owner = sweep.owner,
          .revision = sweep.revision,
          .trials_listed = static_cast<int64_t>(sweep.trials.size()),
          .is_listed = sweep.is_listed,
          .is_over = sweep.is_over(),
          .is_cancelled = sweep.is_cancelled,
          .stages = stages_but_stopped(sweep),
          .stopped_early = std::ssize(sweep.races.stopped),
          .eval_units = sweep.eval_units,
          .evals_finished = sweep.evals_finished};
}

WorkerPicture picture_of(const Worker& worker) {
  return {.name = worker.name,
          .is_joined = worker.is_joined,
          .slots = static_cast<int>(worker.slots.size()),
          .running = static_cast<int>(worker.running.size())};
}

}  // namespace

LivePicture picture_of(const Coordinator& coordinator) {
  LivePicture out;
  out.epoch = coordinator.state().epoch();
  for (const auto& [number, sweep] : coordinator.state().sweeps()) out.sweeps.push_back(picture_of(sweep));
  const std::map<WorkerName, Pulse> pulses = coordinator.pulses();
  for (const auto& [name, worker] : coordinator.state().workers()) {
    out.workers.push_back(picture_of(worker));
    if (const auto pulse = pulses.find(name); pulse != pulses.end()) out.workers.back().pulse = pulse->second;
  }
  out.progress = coordinator.progress();
  return out;
}

}  // namespace ranktide
