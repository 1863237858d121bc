#pragma once
// The turn: drain inputs, step each, commit once, and only then speak. Durable before visible.
// It decides nothing (the core does) and keeps nothing (the store does).
// Thread rule: everything on one thread, which is also the router's and the store's.

#include <cstdint>
#include <optional>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/mailbox.h"
#include "coordinator/edge/past_lives.h"
#include "coordinator/edge/router.h"
#include "coordinator/edge/store.h"
#include "coordinator/edge/turn_measures.h"

namespace ranktide {

class Shell {
 public:
  // Commits the start of a new epoch. Outlives: store, router and mailbox must outlive the shell.
  Shell(CoordinatorConfig config, State replayed, Store& store, Router& router, Mailbox& mailbox);

  // Waits for input or the core's deadline, then does one turn.
  // Throws: StoreError when the commit failed. Memory is then ahead of the disk: the process must end, unheard.
  void turn();

  const State& state() const { return coordinator_.state(); }

 private:
  void wait();
  Effects drain();
  void commit(const Effects& effects);
  void speak(const Effects& effects);
  void forget_keys(const Effects& effects);
  uint64_t count_past_life(const FromWorker& input);
  void show_if_due();
  void show();

  Coordinator coordinator_;
  Store& store_;
  Router& router_;
  Mailbox& mailbox_;
  uint64_t records_committed_ = 0;
  uint64_t points_committed_ = 0;
  PastLives past_lives_;
  TurnMeasures measures_;
  std::optional<Instant> shown_;  // when the mailbox last got a picture
  bool is_shown_ = false;         // nothing has happened since
  RouterCounters shown_link_;
};

}  // namespace ranktide
