#include "coordinator/edge/past_lives.h"

#include <algorithm>

namespace ranktide {

uint64_t PastLives::heard(const WorkerName& worker, const std::string& boot,
                          const std::vector<std::string>& past) {
  const auto is_past = [&](const std::string& life) {
    return std::find(past.begin(), past.end(), life) != past.end();
  };
  if (!is_past(boot)) return 0;
  std::map<std::string, uint64_t>& counts = counts_[worker];
  std::erase_if(counts, [&](const auto& entry) { return !is_past(entry.first); });
  return ++counts[boot];
}

}  // namespace ranktide
