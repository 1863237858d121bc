#pragma once
// What would become of a sweep that was submitted before, were it replaced by this spec: changed settings, and
// trials that are kept, new and no longer listed. Reads nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/grid.h"
#include "common/sweep/spec_difference.h"

namespace ranktide::cli {

struct TrialDifference {
  int64_t kept = 0;   // of both specs
  int64_t added = 0;  // of the new one only
  int64_t gone = 0;   // of the old one only
};

struct PlanDifference {
  std::vector<SpecChange> changes;
  std::optional<TrialDifference> trials;  // absent: ids are provisional, for an input is unread
};

enum class Ids { final, provisional };
// Throws: SpecError when this version cannot expand one of them.
PlanDifference difference_to(const SweepSpec& old, const SweepSpec& spec, Ids ids = Ids::final);

Json to_json(const PlanDifference& difference);
// Returns: `lora.rank + 1024 in blocks lora, targets: 234 trials kept, 48 new, 0 no longer listed` and a line
// end; several changes stand on lines of their own.
std::string text_of(const PlanDifference& difference);

// What becomes of running trials that are no longer listed.
enum class Removed { finish, are_cancelled };
// Returns: what people are told before the spec becomes a new revision of its sweep; empty: it is the same.
std::string revision_notice(const SweepSpec& old, const SweepSpec& spec, Removed removed);

}  // namespace ranktide::cli
