#pragma once
// The attempts that were made at a trial's stage, oldest first; what `logs` shows one by one. Reads only.

#include <string>
#include <vector>

#include "common/vocabulary/work.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct TrialAttempt {
  Lease lease;
  std::string worker;
  bool is_running = false;
};
template <class Ar>
void fields(Ar& ar, TrialAttempt& a) {
  ar("lease", a.lease)("worker", a.worker)("running", a.is_running);
}

struct TrialHistory {
  bool is_over = false;  // no sweep wants more of it
  std::vector<TrialAttempt> attempts;
};
template <class Ar>
void fields(Ar& ar, TrialHistory& h) {
  ar("over", h.is_over)("attempts", h.attempts);
}

// Requires: `trial` is a full id. Returns: no attempts for a trial that was never granted.
TrialHistory history_of(const Reader& reader, const std::string& trial);

}  // namespace ranktide
