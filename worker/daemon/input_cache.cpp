#include "worker/daemon/input_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUseLock = "use.lock";
constexpr const char* kFillLock = "fill.lock";
constexpr const char* kEvicted = ".evicted";         // a place that goes
constexpr int64_t kDiskKeptFree = int64_t{1} << 30;  // for checkpoints, which matter more
constexpr auto kWaitStep = std::chrono::milliseconds(200);

bool is_still_at(int fd, const fs::path& path) {
  struct stat held {
  }, there{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &there) == 0 && held.st_ino == there.st_ino;
}

// Of one place; less where another process is evicting it.
int64_t bytes_below(const fs::path& folder) {
  int64_t out = 0;
  std::error_code gone;
  for (auto it = fs::recursive_directory_iterator(folder, gone); it != fs::recursive_directory_iterator();
       it.increment(gone)) {
    if (gone) break;
    if (it->is_regular_file(gone)) out += static_cast<int64_t>(it->file_size(gone));
  }
  return out;
}

std::string gib(int64_t bytes) {
  return std::to_string((bytes + (int64_t{1} << 30) - 1) >> 30) + " GiB";
}

}  // namespace

InputCache::InputCache(fs::path folder, int64_t bytes_max) : folder_(std::move(folder)), bytes_max_(bytes_max) {
  fs::create_directories(folder_);
}

InputCache::Use::Use(Use&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
InputCache::Use& InputCache::Use::operator=(Use&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
InputCache::Use::~Use() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<InputCache::Use> InputCache::open_lock(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) return Use(fd);
  if (errno == ENOENT) return std::nullopt;
  throw fs::filesystem_error("cannot be opened", path, std::error_code(errno, std::generic_category()));
}

// At any moment another process may evict the place: then there is none, or the file that is locked has no name
// any more, and a new one is made.
InputCache::Use InputCache::use(const Manifest& input) {
  const fs::path place = entry(input);
  for (;;) {
    std::error_code gone;  // what else is wrong, the open says
    fs::create_directories(place / "files", gone);
    fs::create_directories(place / "parts", gone);
    std::optional<Use> out = open_lock(place / kUseLock, O_RDWR | O_CREAT);
    if (!out && gone && gone != std::errc::no_such_file_or_directory)
      throw fs::filesystem_error("cannot be made", place, gone);
    if (!out) continue;
    while (::flock(out->fd_, LOCK_SH) != 0)
      if (errno != EINTR)
        throw fs::filesystem_error("cannot be locked", place / kUseLock,
                                   std::error_code(errno, std::generic_category()));
    if (!is_still_at(out->fd_, place / kUseLock)) continue;
    ::futimens(out->fd_, nullptr);  // used now: what evict_oldest() goes by
    return std::move(*out);
  }
}

InputCache::Use InputCache::fill(const Manifest& input, const std::function<void()>& waiting) {
  std::optional<Use> out = open_lock(entry(input) / kFillLock, O_RDWR | O_CREAT);
  RT_CHECK(out);  // a place in use is not evicted
  while (::flock(out->fd_, LOCK_EX | LOCK_NB) != 0) {
    waiting();
    std::this_thread::sleep_for(kWaitStep);
  }
  return std::move(*out);
}

fs::path InputCache::root_of(const Manifest& input) const {
  return entry(input) / "files" / input.base_name();
}

fs::path InputCache::part_of(const Manifest& input, const std::string& sha256) const {
  return entry(input) / "parts" / sha256;
}

int64_t InputCache::bytes_kept() const {
  int64_t out = 0;
  for (const auto& each : fs::directory_iterator(folder_)) out += bytes_below(each.path());
  return out;
}

// Another process may be evicting too: what it is about to remove is waited for, once, before the answer is no.
void InputCache::make_room(int64_t bytes) {
  bool has_waited = false;
  while (bytes_kept() + bytes > bytes_max_) {
    if (evict_oldest()) continue;
    if (std::exchange(has_waited, true))
      throw InputCacheFull(folder_.string() + ": the copies of inputs in use and this one are more than " +
                           gib(bytes_max_) + "; raise --inputs-max");
    std::this_thread::sleep_for(kWaitStep);
  }
  const auto free = static_cast<int64_t>(fs::space(folder_).available);
  if (free < bytes + kDiskKeptFree)
    throw InputCacheFull(folder_.string() + ": the disk has only " + gib(free) + " free, and " +
                         gib(bytes + kDiskKeptFree) + " are needed");
}

// Returns: whether something went, or had gone; false when everything is in use.
bool InputCache::evict_oldest() {
  if (remove_evicted()) return true;
  std::multimap<fs::file_time_type, fs::path> by_age;
  std::error_code gone;
  for (const auto& each : fs::directory_iterator(folder_))
    if (const auto used = fs::last_write_time(each.path() / kUseLock, gone); !gone)
      by_age.emplace(used, each.path());
  for (const auto& [used, place] : by_age) {
    const std::optional<Use> lock = open_lock(place / kUseLock, O_RDWR);
    if (!lock) return true;  // another process was faster
    if (::flock(lock->fd_, LOCK_EX | LOCK_NB) != 0) continue;
    // Renamed first: whoever waits for the lock, or makes the place again, finds all of it or nothing.
    if (!is_still_at(lock->fd_, place / kUseLock)) return true;
    fs::rename(place, place.string() + kEvicted, gone);
    if (gone) continue;  // a former copy is still being removed, or the disk refuses
    remove_evicted();
    return true;
  }
  return false;
}

// What this process or another one, killed perhaps, began to evict. Returns: whether any went.
bool InputCache::remove_evicted() {
  std::vector<fs::path> found;
  for (const auto& each : fs::directory_iterator(folder_))
    if (each.path().extension() == kEvicted) found.push_back(each.path());
  std::error_code gone;
  for (const fs::path& each : found) fs::remove_all(each, gone);
  return std::any_of(found.begin(), found.end(), [&](const fs::path& each) { return !fs::exists(each, gone); });
}

}  // namespace ranktide
