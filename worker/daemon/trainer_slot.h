#pragma once
// One slot of the worker: its trainer child, the log of the attempt that it runs, and how the child's life
// reads to the agent. A work goes to the trainer when its inputs were found; to the agent that is a trainer
// that fetches first. It starts and kills when told; it decides nothing. Thread rule: the daemon's thread.

#include <filesystem>
#include <memory>
#include <poll.h>
#include <vector>

#include "worker/agent/agent.h"
#include "worker/daemon/child.h"
#include "worker/daemon/child_log.h"
#include "worker/daemon/input_slot.h"

namespace ranktide {

class TrainerSlot {
 public:
  // logs: folder for <unit>/<attempt>.log
  TrainerSlot(int index, ChildConfig trainer, InputSlot inputs, std::filesystem::path logs);

  // Where the coordinator serves files, as Welcome told.
  void serve_files_from(const std::string& endpoint) { inputs_.fetch_from(endpoint); }

  void on(const StartTrainer& start);
  void on(const SendTrainer& send);
  void on(const KillTrainer& kill);
  void on(const PauseTrainer& pause);
  void on(const ResumeTrainer& resume);

  std::vector<pollfd> pollfds() const;
  // Returns: what the child has said and, last, whether it died, since the last call.
  std::vector<AgentInput> take_inputs();

 private:
  TrainerDied death(const ChildEnd& end) const;
  bool could_not_start(const ChildEnd& end) const;
  void give_up_preparing(const Lease& lease);
  void hear_of_inputs(std::vector<AgentInput>& out);

  int index_;
  ChildConfig config_;
  std::filesystem::path logs_;
  ChildLog log_;
  InputSlot inputs_;
  std::unique_ptr<Child> child_;    // null: none runs
  bool is_heard_ = false;           // the child has said something
  std::vector<AgentInput> untold_;  // what happened without the child's doing, told at the next take_inputs
};

}  // namespace ranktide
