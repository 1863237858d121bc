#pragma once
// Which of the files that a full store holds go, to make room for one that arrives. Pure; any thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ranktide {

struct StoredBlob {  // complete
  std::string sha256;
  int64_t bytes = 0;
  std::filesystem::file_time_type used;  // last
};

// A client sends its files first and then the sweep that names them; a worker comes for them later again.
constexpr auto kBlobKeptAfterUse = std::chrono::hours(1);

// Returns: those to remove, least recently used first, that have `bytes` together: none of `named` and none
// that was used within kBlobKeptAfterUse; nothing where all that may go is not enough.
std::vector<StoredBlob> blobs_to_evict(std::vector<StoredBlob> stored, const std::set<std::string>& named,
                                       std::filesystem::file_time_type now, int64_t bytes);

}  // namespace ranktide
