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
};
template <class Ar>
void fields(Ar& ar, TrialAttempt& a) {
  ar("lease", a.lease)("worker", a.worker);
}

// Requires: `trial` is a full id. Returns: none for a trial that was never granted.
std::vector<TrialAttempt> attempts_of(const Reader& reader, const std::string& trial);

}  // namespace ranktide
