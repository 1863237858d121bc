#pragma once
// Is the coordinator alive, and should anybody send it work: /livez and /readyz for people and supervisors.
//   /livez   200 while the turn has come round within ten seconds, else 503: restart it
//   /readyz  200 while the folder can be written, its disk has room, requests are taken and every port for
//            workers is served, else 503 with why. There is no /readyz at all before the link and the port
//            for files have turned a stranger away: the coordinator does not start.
// Both are JSON and need no token: they tell ages and shares only. Any thread.

#include <filesystem>
#include <string>
#include <vector>

#include "common/vocabulary/time.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/mailbox.h"
#include "coordinator/edge/serving_thread.h"

namespace ranktide {

inline constexpr Duration kBeatAgeMax{10'000};
inline constexpr double kDiskFreeMin = 0.02;  // of the disk

struct FolderRoom {
  bool is_writable = false;
  int64_t free_bytes = 0;
  int64_t size_bytes = 0;
  int64_t log_bytes = 0;  // of the write-ahead log
  double free_share() const;
};
FolderRoom measure_room(const std::filesystem::path& data_folder);

ApiResponse answer_livez(const Mailbox& mailbox, Instant now);
ApiResponse answer_readyz(const Mailbox& mailbox, const FolderRoom& room, const std::vector<ServiceSign>& doors,
                          Instant now);

}  // namespace ranktide
