#pragma once
// Leaves with the coordinator what trainers print, while they print it: <work
// folder>/logs/<unit>/<attempt>.log. It finds the files by itself, as artifact_sender.h does, in whose process
// it works. A copy for people: a log that the coordinator does not take stays here, and that is said once. One
// thread.

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
};
// Returns: the logs of attempts that were written to within the last days, by name.
std::vector<LogFile> recent_logs(const std::filesystem::path& work_folder);

class LogSender {
 public:
  // Outlives: the client must outlive it.
  LogSender(std::filesystem::path work_folder, BulkClient& coordinator)
      : work_folder_(std::move(work_folder)), coordinator_(coordinator) {}

  // Throws: BulkError when the coordinator cannot be reached; the next call goes on.
  void send_new();

 private:
  void send(const LogFile& log);

  std::filesystem::path work_folder_;
  BulkClient& coordinator_;
  std::map<std::filesystem::path, int64_t> sent_;  // bytes that the coordinator has
  std::set<std::filesystem::path> left_;           // it does not take them
};

}  // namespace ranktide
