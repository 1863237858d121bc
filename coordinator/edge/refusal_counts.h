#pragma once
// How often a door turned somebody away, and why: counted on the door's thread, read on any, also after the
// door has ended. Not who it was: that is logged.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ranktide {

struct RefusalCount {
  std::string door;    // "enrol", "bulk"
  std::string reason;  // one of few
  std::shared_ptr<std::atomic<uint64_t>> count = std::make_shared<std::atomic<uint64_t>>(0);
};

using RefusalCounts = std::vector<RefusalCount>;

}  // namespace ranktide
