#pragma once
// Is the coordinator alive, and should anybody send it work: /livez and /readyz for people and supervisors.
//   /livez   200 while the turn has come round within ten seconds, else 503: restart it
//   /readyz  200 while the folder can be written, its disk has room and requests are taken, else 503 with why
// Both are JSON and need no token: they tell ages and shares only. Any thread.

#include <filesystem>
#include <string>

#include "common/vocabulary/time.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/mailbox.h"

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
ApiResponse answer_readyz(const Mailbox& mailbox, const FolderRoom& room, Instant now);

}  // namespace ranktide
