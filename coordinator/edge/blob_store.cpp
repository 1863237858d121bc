#include "coordinator/edge/blob_store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "common/content/manifest.h"
#include "coordinator/edge/blob_eviction.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr auto kUnfinishedKept = std::chrono::hours(24 * 7);
constexpr size_t kPartsMax = 1'000;                // files that arrive at once
constexpr int64_t kSyncEvery = int64_t{64} << 20;  // so that the last piece need not wait for all of the file
constexpr const char* kPartEnding = ".part";

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw std::runtime_error(path.string() + ": " + what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(const fs::path& path, int64_t offset, std::string_view bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT);
  if (file.get() < 0) fail(path, "cannot be opened");
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(file.get(), bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(offset + static_cast<int64_t>(done)));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(path, "cannot be written");
    done += static_cast<size_t>(n);
  }
  const int64_t end = offset + static_cast<int64_t>(bytes.size());
  if (offset / kSyncEvery != end / kSyncEvery && ::fdatasync(file.get()) != 0) fail(path, "cannot be synced");
}

void sync(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 || ::fsync(file.get()) != 0) fail(path, "cannot be synced");
}

void require_hash(const std::string& sha256) {
  if (!is_sha256_text(sha256)) throw BlobError(BlobFault::malformed, "not a SHA-256: 64 lower-case hex digits");
}

std::string gib(int64_t bytes) {
  return std::to_string(bytes >> 30) + " GiB";
}

// A file system that cannot note it only has other files go first.
void note_use(const fs::path& path) {
  (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

std::vector<StoredBlob> complete_files(const fs::path& folder) {
  std::vector<StoredBlob> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (is_sha256_text(entry.path().filename().string()))
      out.push_back({.sha256 = entry.path().filename().string(),
                     .bytes = static_cast<int64_t>(entry.file_size()),
                     .used = entry.last_write_time()});
  return out;
}

}  // namespace

BlobStore::BlobStore(fs::path folder, BlobLimits limits, Named named)
    : folder_(std::move(folder)), limits_(limits), named_(std::move(named)) {
  fs::create_directories(folder_);
  take_stock();
  forget_old_parts();
}

void BlobStore::take_stock() {
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.is_regular_file()) used_bytes_ += static_cast<int64_t>(entry.file_size());
}

void BlobStore::forget_old_parts() {
  const auto oldest = fs::file_time_type::clock::now() - kUnfinishedKept;
  std::vector<fs::directory_entry> forgotten;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == kPartEnding && entry.last_write_time() < oldest) forgotten.push_back(entry);
  for (const fs::directory_entry& entry : forgotten) {
    used_bytes_ -= static_cast<int64_t>(entry.file_size());
    fs::remove(entry.path());
    parts_.erase(entry.path().stem().string());
  }
}

fs::path BlobStore::whole(const std::string& sha256) const {
  return folder_ / sha256;
}
fs::path BlobStore::part(const std::string& sha256) const {
  return folder_ / (sha256 + kPartEnding);
}

BlobStore::Standing BlobStore::standing(const std::string& sha256) {
  require_hash(sha256);
  const std::lock_guard lock(mutex_);
  return standing_locked(sha256);
}

BlobStore::Standing BlobStore::standing_locked(const std::string& sha256) {
  struct stat info {};
  if (::stat(whole(sha256).c_str(), &info) == 0) {
    note_use(whole(sha256));
    return {.here = info.st_size, .is_complete = true};
  }
  if (!parts_.contains(sha256) && ::stat(part(sha256).c_str(), &info) != 0) return {};
  return {.here = part_of(sha256).here};
}

// What a former process had received is hashed once, when somebody goes on with it.
BlobStore::Part& BlobStore::part_of(const std::string& sha256) {
  const auto known = parts_.find(sha256);
  if (known != parts_.end()) return known->second;
  if (parts_.size() >= kPartsMax) forget_old_parts();
  if (parts_.size() >= kPartsMax)
    throw BlobError(BlobFault::full, "too many files arrive at once; try again when some are complete");
  Part fresh;
  std::ifstream in(part(sha256), std::ios::binary);
  std::vector<char> buffer(1 << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    fresh.hash.update({buffer.data(), static_cast<size_t>(in.gcount())});
    fresh.here += in.gcount();
  }
  return parts_.emplace(sha256, std::move(fresh)).first->second;
}

BlobStore::Standing BlobStore::append(const std::string& sha256, int64_t total, int64_t offset,
                                      std::string_view bytes) {
  require_hash(sha256);
  const std::lock_guard lock(mutex_);
  const Standing now = standing_locked(sha256);
  if (now.is_complete || now.here != offset) return now;
  if (total < offset + static_cast<int64_t>(bytes.size()))
    throw BlobError(BlobFault::malformed, "more bytes than the file is said to have");
  require_size(total);
  make_room(total - offset);
  Part& arriving = part_of(sha256);
  if (arriving.here != offset) return {.here = arriving.here};  // it was old, and went to make room
  write(sha256, arriving, bytes);
  if (arriving.here < total) return {.here = arriving.here};
  finish(sha256, arriving);
  return {.here = total, .is_complete = true};
}

void BlobStore::require_size(int64_t total) const {
  if (total > limits_.file_bytes)
    throw BlobError(BlobFault::too_large,
                    "a file of " + std::to_string(total) + " bytes is more than the coordinator takes (" +
                        gib(limits_.file_bytes) +
                        "); put it on a file system that the workers share, or copy it to them");
}

// What users and workers send must not take the last of the disk from the journal.
void BlobStore::require_disk(int64_t bytes) const {
  const fs::space_info disk = fs::space(folder_);
  const double left = static_cast<double>(disk.available) - static_cast<double>(bytes);
  if (left < limits_.disk_free_min * static_cast<double>(disk.capacity))
    throw BlobError(BlobFault::full, "the disk of the coordinator's " + folder_.string() + " has " +
                                         std::to_string(disk.available >> 20) +
                                         " MiB left, too little for this file; free space there");
}

void BlobStore::make_room(int64_t bytes) {
  require_disk(bytes);
  if (has_room(bytes)) return;
  forget_old_parts();
  if (!has_room(bytes) && named_) evict(used_bytes_ + bytes - limits_.total_bytes);
  if (has_room(bytes)) return;
  throw BlobError(BlobFault::full, "the coordinator's store for files is full (" + gib(limits_.total_bytes) +
                                       ") of what unfinished sweeps name or somebody used within the last "
                                       "hour; try again later, or put the file on a file system that the "
                                       "workers share, or copy it to them");
}

void BlobStore::evict(int64_t bytes) {
  const auto now = fs::file_time_type::clock::now();
  for (const StoredBlob& each : blobs_to_evict(complete_files(folder_), named_(), now, bytes)) {
    fs::remove(whole(each.sha256));
    used_bytes_ -= each.bytes;
  }
}

// What could not even be begun leaves nothing behind.
void BlobStore::write(const std::string& sha256, Part& arriving, std::string_view bytes) {
  try {
    write_all(part(sha256), arriving.here, bytes);
  } catch (const std::runtime_error&) {
    if (arriving.here == 0) {
      std::error_code absent;
      fs::remove(part(sha256), absent);
      parts_.erase(sha256);
    }
    throw;
  }
  arriving.hash.update(bytes);
  arriving.here += static_cast<int64_t>(bytes.size());
  used_bytes_ += static_cast<int64_t>(bytes.size());
}

void BlobStore::finish(const std::string& sha256, Part& arriving) {
  const int64_t bytes = arriving.here;
  const bool is_sound = arriving.hash.hex() == sha256;
  parts_.erase(sha256);
  if (!is_sound) {
    fs::remove(part(sha256));
    used_bytes_ -= bytes;
    throw BlobError(BlobFault::wrong_content,
                    "the file that arrived has another hash than " + sha256 + "; it changed while it was sent");
  }
  sync(part(sha256));
  fs::rename(part(sha256), whole(sha256));
  sync(folder_);
}

std::optional<BlobStore::Piece> BlobStore::read(const std::string& sha256, int64_t offset,
                                                size_t bytes_max) const {
  require_hash(sha256);
  const fs::path path = whole(sha256);
  const Descriptor file(path, O_RDONLY);
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return std::nullopt;
  Piece out{.bytes = {}, .total = info.st_size};
  if (offset < 0 || offset >= info.st_size) return out;
  out.bytes.resize(std::min(bytes_max, static_cast<size_t>(info.st_size - offset)));
  const ssize_t n = ::pread(file.get(), out.bytes.data(), out.bytes.size(), static_cast<off_t>(offset));
  if (n < 0) fail(path, "cannot be read");
  out.bytes.resize(static_cast<size_t>(n));
  note_use(path);
  return out;
}

bool BlobStore::link_to(const std::string& sha256, const fs::path& target) const {
  require_hash(sha256);
  if (!fs::exists(whole(sha256))) return false;
  fs::create_hard_link(whole(sha256), target);
  return true;
}

void BlobStore::remove(const std::string& sha256) {
  require_hash(sha256);
  const std::lock_guard lock(mutex_);
  struct stat info {};
  if (::stat(whole(sha256).c_str(), &info) == 0 && fs::remove(whole(sha256))) used_bytes_ -= info.st_size;
}

}  // namespace ranktide
