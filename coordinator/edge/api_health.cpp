#include "coordinator/edge/api_health.h"

#include <optional>
#include <sys/statvfs.h>
#include <unistd.h>

#include "coordinator/edge/store.h"

namespace ranktide {
namespace {

Json age_ms(const std::optional<Instant>& then, Instant now) {
  return then ? Json((now - *then).count()) : Json(nullptr);
}

bool is_beating(const std::optional<Instant>& beat, Instant now) {
  return beat && now - *beat < kBeatAgeMax;
}

constexpr const char* kStill = "the turn has not come round for ten seconds";

}  // namespace

double FolderRoom::free_share() const {
  return size_bytes > 0 ? static_cast<double>(free_bytes) / static_cast<double>(size_bytes) : 0;
}

FolderRoom measure_room(const std::filesystem::path& data_folder) {
  FolderRoom out;
  struct statvfs disk {};
  if (::statvfs(data_folder.c_str(), &disk) != 0) return out;
  const auto block = static_cast<int64_t>(disk.f_frsize);
  out.free_bytes = static_cast<int64_t>(disk.f_bavail) * block;
  out.size_bytes = static_cast<int64_t>(disk.f_blocks) * block;
  out.is_writable = (disk.f_flag & ST_RDONLY) == 0 && ::access(data_folder.c_str(), W_OK) == 0;
  std::error_code absent;
  const auto log = std::filesystem::file_size(database_file(data_folder).string() + "-wal", absent);
  out.log_bytes = absent ? 0 : static_cast<int64_t>(log);
  return out;
}

ApiResponse answer_livez(const Mailbox& mailbox, Instant now) {
  const auto beat = mailbox.last_beat();
  Json body{{"beat_age_ms", age_ms(beat, now)}};
  if (!is_beating(beat, now)) body["error"] = kStill;
  return {.status = body.contains("error") ? 503 : 200, .body = body.dump()};
}

ApiResponse answer_readyz(const Mailbox& mailbox, const FolderRoom& room, const std::vector<ServiceSign>& doors,
                          Instant now) {
  const auto beat = mailbox.last_beat();
  Json why = Json::array();
  if (mailbox.is_closed()) why.push_back("the coordinator is stopping");
  if (!is_beating(beat, now)) why.push_back(kStill);
  if (!room.is_writable) why.push_back("the data folder cannot be written");
  if (room.free_share() <= kDiskFreeMin) why.push_back("the disk has 2 % or less left");
  for (const ServiceSign& door : doors)
    if (!*door.is_up) why.push_back(door.when_down);
  Json body{{"beat_age_ms", age_ms(beat, now)},
            {"commit_age_ms", age_ms(mailbox.live().measures.committed_at, now)},
            {"disk_free_share", room.free_share()},
            {"is_writable", room.is_writable}};
  if (!why.empty()) body["error"] = why;
  return {.status = why.empty() ? 200 : 503, .body = body.dump()};
}

}  // namespace ranktide
