#pragma once
// One trainer process: spawned (spawn.h) with command and report pipes on descriptors 3 and 4; standard output
// and error are its log. It knows nothing of leases: what the process says and how it ended goes to the caller.
// Thread rule: one thread, with which the process ends; no SIGCHLD handler is needed or set.

#include <optional>
#include <poll.h>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/vocabulary/trainer_protocol.h"
#include "worker/daemon/child_end.h"
#include "worker/daemon/child_log.h"
#include "worker/daemon/spawn.h"

namespace ranktide {

class Child {
 public:
  // Throws: ChildError when the program cannot be started, naming it and the reason.
  explicit Child(const ChildConfig& config);
  // Kills the group and reaps.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Queues a command; what the pipe does not take now goes with later flushes. Never blocks.
  void send(const TrainerCommand& command);
  // Returns: descriptors to wait on: log, reports unless paused, the command pipe while something is queued for
  // it.
  std::vector<pollfd> pollfds() const;

  // Moves bytes both ways without blocking, a bounded amount per call: output into `log`, whole reports out.
  // Throws: ProtocolError when the process speaks nonsense; once; no more of it is read then and it should be
  // killed.
  std::vector<TrainerReport> exchange(ChildLog& log);
  // While paused no report is read: the pipe fills and the process waits at its next report. Its log still
  // flows.
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }

  // Returns: how it ended; nullopt while it lives or still has reports in its pipe. Whatever is left of its
  // group ends with it. Requires: `log` is the one that exchange() filled, for it tells running out of memory
  // from a crash.
  std::optional<ChildEnd> take_end(ChildLog& log);
  // SIGKILL to the whole group; its end is told by take_end as ever.
  void kill();
  pid_t pid() const { return pid_; }

 private:
  void flush();

  pid_t pid_ = -1;
  int command_fd_ = -1;
  int report_fd_ = -1;
  int log_fd_ = -1;
  std::string outgoing_;  // one RunWork and two StopWork at most, by the trainer protocol
  std::string incoming_;  // less than a frame and what one exchange reads
  int64_t oom_kills_before_ = 0;
  bool reports_closed_ = false;
  bool log_closed_ = false;
  bool paused_ = false;
  bool killed_by_us_ = false;
  bool reaped_ = false;
};

}  // namespace ranktide
