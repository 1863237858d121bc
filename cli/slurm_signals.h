#pragma once
// The signals of a Slurm job, for a worker that runs in one: USR2 ahead of the time limit, TERM when it is
// preempted or cancelled. Each asks for a clean end and none for an end at once, because slurmstepd and srun
// both pass TERM on, so that one request arrives twice; what takes too long Slurm kills by itself. Not for
// people at a terminal (interrupt.h).

#include "worker/daemon/serve.h"

namespace ranktide::cli {

class SlurmSignals {
 public:
  // Outlives: `worker` must outlive this. Requires: one at a time in a process, and no Interrupt beside it.
  explicit SlurmSignals(WorkerService& worker);
  ~SlurmSignals();
  SlurmSignals(const SlurmSignals&) = delete;
  SlurmSignals& operator=(const SlurmSignals&) = delete;
};

}  // namespace ranktide::cli
