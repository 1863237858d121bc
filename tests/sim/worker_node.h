#pragma once
// A worker process of the simulation: the real agent, a spool on a disk that can lose what was not synced, and
// stub trainers that follow the truth's function of (stage, step). The disk survives the process.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/sim/truth.h"
#include "tests/sim/world.h"
#include "worker/agent/agent.h"

namespace ranktide::sim {

class WorkerNode {
 public:
  using Send = std::function<void(const WorkerName&, const WorkerMessage&, uint64_t epoch)>;
  WorkerNode(World& world, Truth& truth, WorkerName name, std::vector<Slot> slots, Send send);

  void start();
  void crash();                                // comes back after a while
  void drain() { receive(DrainRequested{}); }  // leaves when everything is said, and comes back
  bool is_up() const { return agent_ != nullptr; }
  int life() const { return life_; }
  void receive(const AgentInput& input);  // lost when it is down

 private:
  struct Disk {  // of one attempt's spool
    std::map<int64_t, std::string> entries;
    int64_t synced = 0;  // up to here a power loss changes nothing
  };
  struct Trainer {
    int process = 0;  // counts starts; what an earlier one would have said is void
    bool is_alive = false;
    std::optional<RunWork> work;
    bool stops = false;
    bool hangs = false;
    Step step = 0;
  };

  std::string boot() const { return name_.text + "-" + std::to_string(life_); }
  void wake_later();
  bool act(const AgentEffects& effects);
  void leave();
  bool speak(const AgentEffects& effects);
  void spool(const AgentEffects& effects);
  void lose_what_is_not_synced();
  bool dies();

  void on(const SpoolAppend& append);
  void on(const SpoolDrop& drop);
  void on(const SpoolForget& forget) { disk_.erase(forget.lease); }
  void on(const StartTrainer& start);
  void on(const SendTrainer& send);
  void on(const KillTrainer& kill);
  void on(const PauseTrainer&) {}
  void on(const ResumeTrainer&) {}

  void begin(int slot, const RunWork& run);
  void train_later(int slot);
  void train(int slot);
  void find(int slot, Findings findings);
  void evaluate_at(int slot, Step step);
  void end(int slot, OutcomeKind kind);
  void die(int slot, OutcomeKind kind, const std::string& message);

  World& world_;
  Truth& truth_;
  WorkerName name_;
  std::vector<Slot> slots_;
  Send send_;
  int life_ = 0;
  std::unique_ptr<Agent> agent_;
  std::map<int, Trainer> trainers_;
  std::map<Lease, Disk> disk_;
  std::map<StageId, std::set<Step>> checkpoints_;
};

}  // namespace ranktide::sim
