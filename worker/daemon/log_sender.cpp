#include "worker/daemon/log_sender.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <utility>

#include "common/content/manifest.h"
#include "worker/daemon/work_folder.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::hours kSentLogKept{7 * 24};
constexpr std::chrono::hours kUnsentLogKept{28 * 24};
constexpr Duration kTryLeftLogEvery{60'000};  // too many open files, or no room there, are over at some time

// Returns: 0 for a file that is no attempt's log.
Attempt attempt_of(const fs::path& file) {
  if (file.extension() != ".log") return 0;
  const std::string text = file.stem().string();
  Attempt out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? out : 0;
}

void add_logs(const fs::path& unit_folder, std::vector<LogFile>& out) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(unit_folder, gone)) {
    LogFile log{.lease = {UnitId{unit_folder.filename().string()}, attempt_of(entry.path())},
                .path = entry.path()};
    if (log.lease.attempt < 1) continue;
    log.bytes = static_cast<int64_t>(entry.file_size(gone));
    if (!gone) log.written = entry.last_write_time(gone);
    if (!gone) out.push_back(log);
  }
}

}  // namespace

std::vector<LogFile> logs_in(const fs::path& work_folder) {
  std::vector<LogFile> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(WorkFolder::logs_of(work_folder), absent))
    if (is_sha256_text(entry.path().filename().string())) add_logs(entry.path(), out);
  std::sort(out.begin(), out.end(), [](const LogFile& a, const LogFile& b) { return a.path < b.path; });
  return out;
}

void LogSender::send_new(Instant now) {
  const auto today = fs::file_time_type::clock::now();
  for (const LogFile& log : logs_in(work_folder_)) {
    if (!is_sent(log) && is_due(log, now)) send(log, now);
    if (log.written + (is_sent(log) ? kSentLogKept : kUnsentLogKept) < today) drop(log);
  }
}

bool LogSender::is_sent(const LogFile& log) const {
  const auto sent = sent_.find(log.path);
  return sent != sent_.end() && sent->second >= log.bytes;
}

bool LogSender::is_due(const LogFile& log, Instant now) const {
  const auto left = left_.find(log.path);
  return left == left_.end() || (left->second.try_again && now >= *left->second.try_again);
}

// With its folder where it was the last one there; one that cannot be removed only takes room.
void LogSender::drop(const LogFile& log) {
  std::error_code ignored;
  fs::remove(log.path, ignored);
  fs::remove(log.path.parent_path(), ignored);
  sent_.erase(log.path);
  left_.erase(log.path);
}

void LogSender::send(const LogFile& log, Instant now) {
  const auto sent = sent_.find(log.path);
  try {
    sent_[log.path] = coordinator_.store_log(log.lease, log.path, sent == sent_.end() ? -1 : sent->second);
    left_.erase(log.path);
  } catch (const BulkNotYours&) {  // of another coordinator, or from before a folder was replaced
    left_[log.path] = {};
  } catch (const BulkNotTaken& refused) {
    leave(log, now, refused.what());
  } catch (const BulkError&) {
    throw;  // the coordinator's: nothing can be sent now
  } catch (const std::runtime_error& unreadable) {
    leave(log, now, unreadable.what());
  }
}

void LogSender::leave(const LogFile& log, Instant now, const std::string& why) {
  Refusal& refusal = left_[log.path];
  if (!std::exchange(refusal.is_said, true)) std::cerr << log.path.string() << ": stays here: " << why << "\n";
  refusal.try_again = now + kTryLeftLogEvery;
}

}  // namespace ranktide
