#pragma once
// Leaves with the coordinator what trainers print, while they print it: <work
// folder>/logs/<unit>/<attempt>.log. It finds the files by itself, as artifact_sender.h does, in whose process
// it works. A copy for people: a log that the coordinator does not take stays here, and that is said once.
// Policy at the limit, which is a time: a log that nobody wrote to for 7 days goes once the coordinator has all
// of it, after 28 days whatever it has. One thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

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
  // call goes on.
  void send_new();

 private:
  bool is_sent(const LogFile& log) const;
  void send(const LogFile& log);
  void drop(const LogFile& log);

  std::filesystem::path work_folder_;
  BulkClient& coordinator_;
  std::map<std::filesystem::path, int64_t> sent_;  // bytes that the coordinator has
  std::set<std::filesystem::path> left_;           // it does not take them
};

}  // namespace ranktide
