#pragma once
// What lives of a worker say that another one has replaced. One message is the echo of a dead process; more of
// them from the same life come from a process that still runs, as where a worker's folder was copied. It only
// counts. Value type; the turn's thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

class PastLives {
 public:
  // past: the worker's replaced lives; of others nothing is kept. Returns: how often this life was heard since
  // it was replaced; 0 for one that was not.
  uint64_t heard(const WorkerName& worker, const std::string& boot, const std::vector<std::string>& past);

 private:
  std::map<WorkerName, std::map<std::string, uint64_t>> counts_;  // by boot
};

}  // namespace ranktide
