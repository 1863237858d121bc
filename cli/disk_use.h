#pragma once
// What a trial puts on a worker's disk: by the same formulas as its memory. Nothing is reserved by it; workers
// measure what is free. Pure.

#include <cstdint>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide::cli {

struct DiskBytes {
  int64_t kept = 0;         // what run.keep leaves of a finished trial
  int64_t checkpoints = 0;  // while it runs: as many as are kept of an attempt
};

// Returns: at most that: a delta is compressed, and a short trial writes fewer checkpoints.
DiskBytes disk_bytes(const TrialSettings& settings, const ModelShape& shape, Keep keep);

}  // namespace ranktide::cli
