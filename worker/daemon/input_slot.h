#pragma once
// The process beside a slot's trainer that looks for the inputs of its next work (input_process.h). Hashing and
// fetching take as long as disks and networks do, and the daemon's thread, which sends the heartbeats, waits
// for neither. The process stays while it is alive, because it holds on to the inputs of the running work.
// Thread rule: the daemon's thread.

#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

#include "common/vocabulary/trainer_protocol.h"
#include "worker/daemon/child.h"
#include "worker/daemon/child_log.h"

namespace ranktide {

class InputSlot {
 public:
  // process: without a program works go to their trainers as they came.
  explicit InputSlot(ChildConfig process) : process_(std::move(process)) {}

  // endpoint: of the coordinator's bulk port; empty: it serves none. Holds for the next work.
  void fetch_from(const std::string& endpoint);

  // Returns: whether the work names inputs that may lie elsewhere here, or what other trials left.
  bool is_needed_by(const Work& work) const;
  // Requires: not busy.
  void begin(const RunWork& run);
  bool is_busy() const { return busy_.has_value(); }
  // Ends the search; nothing more is said of it. The next one goes on with what was fetched.
  void cancel();

  std::vector<pollfd> pollfds() const;
  // Returns: progress of the work that was begun, and last WorkPrepared or WorkEnded. Its output goes to `log`.
  std::vector<TrainerReport> take_reports(ChildLog& log);

 private:
  void hear(TrainerReport report, std::vector<TrainerReport>& out);
  void end_with(const std::string& message, std::vector<TrainerReport>& out);
  void bury(ChildLog& log);

  ChildConfig process_;
  std::string endpoint_;
  bool is_outdated_ = false;  // the running process was started with another endpoint
  std::unique_ptr<Child> child_;
  std::vector<std::unique_ptr<Child>> dying_;  // killed, and not gone yet: a dead network disk may hold one
  std::optional<Lease> busy_;
  std::optional<std::string> failed_;  // a start that did not succeed
};

}  // namespace ranktide
