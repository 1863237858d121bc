#pragma once
// One slot of the worker: its trainer child, the log of the attempt that it runs, and how the child's life
// reads to the agent. It starts and kills when told; it decides nothing. Thread rule: the daemon's thread.

#include <filesystem>
#include <memory>
#include <optional>
#include <poll.h>
#include <vector>

#include "worker/agent/agent.h"
#include "worker/daemon/child.h"
#include "worker/daemon/child_log.h"

namespace ranktide {

class TrainerSlot {
 public:
  // logs: folder for <unit>/<attempt>.log
  TrainerSlot(int index, ChildConfig config, std::filesystem::path logs);

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

  int index_;
  ChildConfig config_;
  std::filesystem::path logs_;
  ChildLog log_;
  std::unique_ptr<Child> child_;       // null: none runs
  std::optional<TrainerDied> failed_;  // a start that did not succeed, told at the next take_inputs
};

}  // namespace ranktide
