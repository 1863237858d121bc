#include "worker/daemon/log_sender.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>

#include "common/content/manifest.h"
#include "worker/daemon/work_folder.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::hours kRecent{7 * 24};

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
    const Attempt attempt = attempt_of(entry.path());
    const auto written = entry.last_write_time(gone);
    if (attempt < 1 || gone || written + kRecent < fs::file_time_type::clock::now()) continue;
    const auto bytes = entry.file_size(gone);
    if (!gone)
      out.push_back(
          {{UnitId{unit_folder.filename().string()}, attempt}, entry.path(), static_cast<int64_t>(bytes)});
  }
}

}  // namespace

std::vector<LogFile> recent_logs(const fs::path& work_folder) {
  std::vector<LogFile> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(WorkFolder::logs_of(work_folder), absent))
    if (is_sha256_text(entry.path().filename().string())) add_logs(entry.path(), out);
  std::sort(out.begin(), out.end(), [](const LogFile& a, const LogFile& b) { return a.path < b.path; });
  return out;
}

void LogSender::send_new() {
  for (const LogFile& log : recent_logs(work_folder_)) {
    const auto sent = sent_.find(log.path);
    if (left_.contains(log.path) || (sent != sent_.end() && sent->second >= log.bytes)) continue;
    send(log);
  }
}

void LogSender::send(const LogFile& log) {
  const auto sent = sent_.find(log.path);
  try {
    sent_[log.path] = coordinator_.store_log(log.lease, log.path, sent == sent_.end() ? -1 : sent->second);
  } catch (const BulkNotYours&) {  // of another coordinator, or from before a folder was replaced
    left_.insert(log.path);
  } catch (const BulkNotTaken& refused) {
    std::cerr << log.path.string() << ": stays here: " << refused.what() << "\n";
    left_.insert(log.path);
  }
}

}  // namespace ranktide
