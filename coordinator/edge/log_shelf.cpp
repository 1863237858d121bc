#include "coordinator/edge/log_shelf.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <vector>

#include "common/content/manifest.h"
#include "coordinator/edge/artifact_shelf.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr size_t kOwnersMax = 10'000;
constexpr const char* kGoneEnding = ".gone";
constexpr std::chrono::hours kGoneKept{30 * 24};  // workers drop their own copies before

int64_t size_of(const fs::path& file) {
  std::error_code absent;
  const auto bytes = fs::file_size(file, absent);
  return absent ? 0 : static_cast<int64_t>(bytes);
}

struct KeptLog {
  fs::file_time_type written;
  fs::path file;
  int64_t bytes = 0;
};

// Returns: all files, oldest first.
std::vector<KeptLog> kept_logs(const fs::path& folder) {
  std::vector<KeptLog> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out.push_back({entry.last_write_time(), entry.path(), size_of(entry.path())});
  std::sort(out.begin(), out.end(), [](const KeptLog& a, const KeptLog& b) {
    return std::tie(a.written, a.file) < std::tie(b.written, b.file);
  });
  return out;
}

int64_t bytes_of(const std::vector<KeptLog>& logs) {
  int64_t sum = 0;
  for (const KeptLog& log : logs) sum += log.bytes;
  return sum;
}

// A worker that has its folder here too keeps a log of its own in it.
bool is_attempts_log(const fs::path& file) {
  return file.extension() == ".log" && is_sha256_text(file.parent_path().filename().string());
}

fs::path gone_mark(fs::path log) {
  return log.replace_extension(kGoneEnding);
}

void remove_for_room(const fs::path& log) {
  std::ofstream mark(gone_mark(log));
  if (!mark) throw std::runtime_error(gone_mark(log).string() + ": cannot be written");
  fs::remove(log);
}

// Marks that nobody asks about any more, with folders that hold nothing else.
void drop_old_marks(const std::vector<KeptLog>& all) {
  for (const KeptLog& each : all) {
    if (each.file.extension() != kGoneEnding || each.written + kGoneKept > fs::file_time_type::clock::now())
      continue;
    std::error_code is_not_empty;
    fs::remove(each.file);
    fs::remove(each.file.parent_path(), is_not_empty);
  }
}

[[noreturn]] void not_taken(const std::string& why) {
  throw ShelfError(BulkRefusal::not_taken, why);
}

}  // namespace

LogShelf::LogShelf(LogShelfConfig config) : config_(std::move(config)) {
  fs::create_directories(config_.folder);
  total_bytes_ = bytes_of(kept_logs(config_.folder));
}

int64_t LogShelf::append(const WorkerName& sender, const Lease& lease, int64_t offset, std::string_view bytes) {
  require_owner(sender, lease);
  const fs::path file = log_file(config_.folder, lease);
  if (fs::exists(gone_mark(file))) not_taken("an older log, which was removed there to make room");
  const int64_t here = size_of(file);
  if (bytes.empty() || offset != here) return here;
  const auto more = static_cast<int64_t>(bytes.size());
  if (here + more > config_.file_bytes_max) not_taken("the log is longer than a log may be here");
  make_room(more, file);
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::app);
  out.write(bytes.data(), more);
  out.close();
  if (!out) throw std::runtime_error(file.string() + ": cannot be written");
  total_bytes_ += more;
  return here + more;
}

void LogShelf::make_room(int64_t bytes, const fs::path& keeping) {
  if (total_bytes_ + bytes <= config_.total_bytes_max) return;
  const std::vector<KeptLog> all = kept_logs(config_.folder);
  drop_old_marks(all);
  total_bytes_ = bytes_of(all);
  const int64_t wanted = config_.total_bytes_max - config_.total_bytes_max / 10 - bytes;
  for (const KeptLog& each : all) {
    if (total_bytes_ <= wanted) break;
    if (!is_attempts_log(each.file) || each.file == keeping) continue;
    remove_for_room(each.file);
    total_bytes_ -= each.bytes;
  }
  if (total_bytes_ + bytes > config_.total_bytes_max)
    not_taken("the coordinator's folder of logs is full: " + config_.folder.string());
}

void LogShelf::require_owner(const WorkerName& sender, const Lease& lease) {
  if (owners_.contains({lease, sender})) return;
  if (!is_sha256_text(lease.unit.text) || lease.attempt < 1) not_taken("not an attempt's log");
  if (!config_.was_granted(sender, lease))
    throw ShelfError(BulkRefusal::not_yours, "attempt " + std::to_string(lease.attempt) + " of " +
                                                 lease.unit.text.substr(0, 12) + " was not granted to " +
                                                 sender.text);
  if (owners_.size() == kOwnersMax) owners_.clear();
  owners_.emplace(lease, sender);
}

fs::path logs_of(const fs::path& data_folder) {
  return data_folder / "logs";
}

fs::path log_file(const fs::path& logs_folder, const Lease& lease) {
  return logs_folder / lease.unit.text / (std::to_string(lease.attempt) + ".log");
}

LogPart read_log(const fs::path& logs_folder, const Lease& lease, int64_t offset) {
  const fs::path file = log_file(logs_folder, lease);
  LogPart part{.size = size_of(file)};
  part.offset = std::clamp<int64_t>(offset < 0 ? part.size + offset : offset, 0, part.size);
  part.text.resize(static_cast<size_t>(std::min(part.size - part.offset, kLogPartBytesMax)));
  std::ifstream in(file, std::ios::binary);
  in.seekg(part.offset);
  in.read(part.text.data(), static_cast<std::streamsize>(part.text.size()));
  part.text.resize(static_cast<size_t>(in.gcount()));
  // A part that is cut for its length ends with a line, so that no character is cut in two.
  const size_t line_end = part.text.rfind('\n');
  if (std::ssize(part.text) == kLogPartBytesMax && line_end != std::string::npos)
    part.text.resize(line_end + 1);
  part.bytes = std::ssize(part.text);
  return part;
}

}  // namespace ranktide
