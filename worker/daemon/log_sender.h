#pragma once
// Leaves with the coordinator what trainers print, while they print it: <work
// folder>/logs/<unit>/<attempt>.log. It finds the files by itself, as artifact_sender.h does, in whose process
// it works. A copy for people: a log that cannot be read, or that the coordinator does not take, stays here,
// keeps no other one waiting and is tried again every minute; that is said once.
// Policy at the limit, which is a time: a log that nobody wrote to for 7 days goes once the coordinator has all
// of it, after 28 days whatever it has. One thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/time.h"
#include "common/vocabulary/work.h"
#include "worker/daemon/bulk_client.h"

namespace ranktide {

struct LogFile {
  Lease lease;
  std::filesystem::path path;
  int64_t bytes = 0;
  std::filesystem::file_time_type written;  // last
};
// Returns: the logs of attempts, by name.
std::vector<LogFile> logs_in(const std::filesystem::path& work_folder);

class LogSender {
 public:
  // Outlives: the client must outlive it.
  LogSender(std::filesystem::path work_folder, BulkClient& coordinator)
      : work_folder_(std::move(work_folder)), coordinator_(coordinator) {}

  // Sends what is new and drops what is old. Throws: BulkError when the coordinator cannot be reached; the next
  // call goes on. Requires: now never goes back.
  void send_new(Instant now);

 private:
  struct Refusal {                     // of a log, since it was last sent
    std::optional<Instant> try_again;  // nullopt: never; the coordinator knows no such attempt
    bool is_said = false;
  };
  bool is_sent(const LogFile& log) const;
  bool is_due(const LogFile& log, Instant now) const;
  void send(const LogFile& log, Instant now);
  void leave(const LogFile& log, Instant now, const std::string& why);
  void drop(const LogFile& log);

  std::filesystem::path work_folder_;
  BulkClient& coordinator_;
  std::map<std::filesystem::path, int64_t> sent_;  // bytes that the coordinator has
  std::map<std::filesystem::path, Refusal> left_;
};

}  // namespace ranktide
