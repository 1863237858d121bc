#pragma once
// When the Slurm job ends that a worker runs in, and what the worker does about it. Slurm is asked once, at the
// start: a time limit that somebody changes later is not noticed, but its warning by a signal is
// (slurm_signals.h). Reads the environment and runs squeue; one thread.

#include <cstdint>
#include <optional>

#include "worker/daemon/serve.h"

namespace ranktide::cli {

// Returns: seconds since 1970: $SLURM_JOB_END_TIME (since Slurm 23.02), else what squeue says of $SLURM_JOB_ID;
// nullopt outside a job, for a job without a time limit, and where neither can be told.
std::optional<int64_t> slurm_job_end();

// Returns: no new work in the last five minutes, and two for checkpoints; of a short job no more than a quarter
// and a tenth.
WorkerTime slurm_worker_time(Instant now, Duration left);

// Returns: the time of a worker in this job, and says it in the log; nullopt when its end is not known.
std::optional<WorkerTime> slurm_worker_time();

}  // namespace ranktide::cli
