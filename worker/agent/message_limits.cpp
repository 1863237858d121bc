#include "worker/agent/message_limits.h"

#include <algorithm>
#include <cstddef>

namespace ranktide {
namespace {

constexpr size_t kPointsPerReport = 2'000;  // keeps a Report's body well under kBodyBytesMax
constexpr size_t kEvalsPerReport = 1'000;
constexpr size_t kLogTailBytesMax = 64 << 10;
constexpr size_t kMessageBytesMax = 4 << 10;

template <class T>
std::vector<T> take_front(std::vector<T>& items, size_t most) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(items.size(), most));
  std::vector<T> out(items.begin(), items.begin() + n);
  items.erase(items.begin(), items.begin() + n);
  return out;
}

}  // namespace

std::vector<Findings> in_pieces(Findings all) {
  std::vector<Findings> out;
  do {
    out.push_back({.points = take_front(all.points, kPointsPerReport),
                   .evals = take_front(all.evals, kEvalsPerReport),
                   .checkpoint = std::nullopt});
  } while (!all.points.empty() || !all.evals.empty());
  out.back().checkpoint = all.checkpoint;
  return out;
}

Outcome trimmed(Outcome outcome) {
  if (outcome.log_tail.size() > kLogTailBytesMax)
    outcome.log_tail.erase(0, outcome.log_tail.size() - kLogTailBytesMax);
  if (outcome.message.size() > kMessageBytesMax) outcome.message.resize(kMessageBytesMax);
  return outcome;
}

}  // namespace ranktide
