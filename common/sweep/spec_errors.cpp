#include "common/sweep/spec_errors.h"

#include <algorithm>
#include <tuple>

namespace ranktide {
namespace {

bool stands_before(const SpecError& a, const SpecError& b) {
  const auto rank = [](const SpecError& e) {
    return std::tuple(e.place.line == 0, e.place.line, e.place.column);
  };
  return rank(a) < rank(b);
}

}  // namespace

void SpecErrors::add(SpecError error) {
  if (error.each.empty())
    errors_.push_back(std::move(error));
  else
    errors_.insert(errors_.end(), error.each.begin(), error.each.end());
}

void SpecErrors::throw_if_any() const {
  if (errors_.empty()) return;
  if (errors_.size() == 1) throw errors_[0];
  auto sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), stands_before);
  const size_t hidden = sorted.size() - std::min(sorted.size(), kErrorsShownMax);
  sorted.resize(sorted.size() - hidden, SpecError(""));
  if (hidden > 0) sorted.emplace_back("and " + std::to_string(hidden) + " more");
  std::string lines;
  for (const auto& error : sorted) lines += (lines.empty() ? "" : "\n") + std::string(error.what());
  SpecError all(lines);
  all.place = sorted[0].place;
  all.each = std::move(sorted);
  throw all;
}

}  // namespace ranktide
