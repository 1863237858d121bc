#pragma once
// A coordinator process of the simulation: the real core and the real store, under a shell that keeps the order
// of the turn and can die at each of its seams. The data folder survives it.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "tests/sim/coordinator_disk.h"
#include "tests/sim/truth.h"
#include "tests/sim/world.h"

namespace ranktide::sim {

class CoordinatorNode {
 public:
  using Send = std::function<void(const WorkerName&, const CoordinatorMessage&, uint64_t epoch)>;
  using Answer = std::function<void(const Reply&)>;
  CoordinatorNode(World& world, Truth& truth, Send send, Answer answer);

  void start();  // replays what the store has
  void crash();  // comes back after a while
  bool is_up() const { return core_ != nullptr; }
  int life() const { return life_; }
  void receive(Input input);  // lost when it is down

  // Requires: is_up().
  const State& state() const { return core_->state(); }
  void check() const;         // that live state, journal and truth agree
  void check_tables() const;  // and that the query tables say the same
  // Returns: kinds of records that it decided in any of its lives.
  const std::set<std::string>& kinds() const { return kinds_; }

 private:
  void turn_later(Duration wait);
  void wake_later();
  void turn();
  bool commit(const Effects& effects);
  bool speak(const Effects& effects);
  bool dies();

  World& world_;
  Truth& truth_;
  Send send_;
  Answer answer_;
  std::unique_ptr<Coordinator> core_;
  int life_ = 0;
  std::vector<Input> inbox_;
  bool has_turn_ = false;
  CoordinatorDisk disk_;
  std::set<std::string> kinds_;
};

}  // namespace ranktide::sim
