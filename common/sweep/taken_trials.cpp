#include "common/sweep/taken_trials.h"

#include <algorithm>
#include <string>

#include "common/vocabulary/check.h"

namespace ranktide {

bool takes(const SweepSpec& spec, int64_t raw) {
  if (!spec.taken) return true;
  const auto after =
      std::upper_bound(spec.taken->begin(), spec.taken->end(), raw,
                       [](int64_t index, const TrialRange& range) { return index < range.first; });
  return after != spec.taken->begin() && raw < std::prev(after)->end;
}

std::vector<TrialRange> ranges_of(const std::vector<int64_t>& raw) {
  std::vector<TrialRange> out;
  for (const int64_t index : raw) {
    RT_CHECK(out.empty() || index >= out.back().end);
    if (!out.empty() && index == out.back().end)
      ++out.back().end;
    else
      out.push_back({.first = index, .end = index + 1});
  }
  return out;
}

void check_taken(const std::vector<TrialRange>& taken, int64_t raw_count) {
  int64_t least = 0;
  for (const TrialRange& range : taken) {
    if (range.first < least || range.end <= range.first || range.end > raw_count)
      throw SpecError("taken: trials [" + std::to_string(range.first) + ", " + std::to_string(range.end) +
                      ") are out of order, none, or not among the " + std::to_string(raw_count) +
                      " trials of the grid");
    least = range.end;
  }
}

}  // namespace ranktide
