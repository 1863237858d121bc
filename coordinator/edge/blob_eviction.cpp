#include "coordinator/edge/blob_eviction.h"

#include <algorithm>
#include <tuple>

namespace ranktide {

std::vector<StoredBlob> blobs_to_evict(std::vector<StoredBlob> stored, const std::set<std::string>& named,
                                       std::filesystem::file_time_type now, int64_t bytes) {
  std::erase_if(stored, [&](const StoredBlob& each) {
    return named.contains(each.sha256) || each.used + kBlobKeptAfterUse > now;
  });
  std::sort(stored.begin(), stored.end(), [](const StoredBlob& a, const StoredBlob& b) {
    return std::tie(a.used, a.sha256) < std::tie(b.used, b.sha256);
  });
  int64_t freed = 0;
  size_t count = 0;
  while (count < stored.size() && freed < bytes) freed += stored[count++].bytes;
  if (freed < bytes) return {};
  stored.resize(count);
  return stored;
}

}  // namespace ranktide
