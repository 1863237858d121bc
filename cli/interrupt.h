#pragma once
// Ctrl-C and SIGTERM while a sweep runs: the first asks for a clean end, the second for an end at once.
// The handlers only count and call what is safe in a signal handler.

#include "worker/daemon/serve.h"

namespace ranktide::cli {

class Interrupt {
 public:
  // Outlives: `worker` must outlive this. Requires: one at a time in a process.
  explicit Interrupt(WorkerService& worker);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int count() const;
};

}  // namespace ranktide::cli
