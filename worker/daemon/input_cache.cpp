#include "worker/daemon/input_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUseLock = "use.lock";
constexpr const char* kFillLock = "fill.lock";
constexpr int64_t kDiskKeptFree = int64_t{1} << 30;  // for checkpoints, which matter more
constexpr auto kWaitStep = std::chrono::milliseconds(200);

int open_lock(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    throw fs::filesystem_error("cannot be opened", path, std::error_code(errno, std::generic_category()));
  return fd;
}

bool is_still_at(int fd, const fs::path& path) {
  struct stat held {
  }, there{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &there) == 0 && held.st_ino == there.st_ino;
}

int64_t bytes_below(const fs::path& folder) {
  int64_t out = 0;
  std::error_code gone;  // another process may be evicting it
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

// Between the open and the lock another process may evict the place: then the file that is locked has no name
// any more, and a new one is made.
InputCache::Use InputCache::use(const Manifest& input) {
  const fs::path place = entry(input);
  for (;;) {
    fs::create_directories(place / "files");
    fs::create_directories(place / "parts");
    Use out(open_lock(place / kUseLock));
    if (::flock(out.fd_, LOCK_SH) != 0 || !is_still_at(out.fd_, place / kUseLock)) continue;
    ::futimens(out.fd_, nullptr);  // used now: what evict_oldest() goes by
    return out;
  }
}

InputCache::Use InputCache::fill(const Manifest& input, const std::function<void()>& waiting) {
  Use out(open_lock(entry(input) / kFillLock));
  while (::flock(out.fd_, LOCK_EX | LOCK_NB) != 0) {
    waiting();
    std::this_thread::sleep_for(kWaitStep);
  }
  return out;
}

fs::path InputCache::root_of(const Manifest& input) const {
  return entry(input) / "files" / input.base_name();
}

fs::path InputCache::part_of(const Manifest& input, const std::string& sha256) const {
  return entry(input) / "parts" / sha256;
}

void InputCache::make_room(int64_t bytes) {
  int64_t used = bytes_below(folder_);
  while (used + bytes > bytes_max_) {
    const int64_t freed = evict_oldest();
    if (freed < 0)
      throw InputCacheFull(folder_.string() + ": the copies of inputs in use and this one are more than " +
                           gib(bytes_max_) + "; raise --inputs-max");
    used -= freed;
  }
  const auto free = static_cast<int64_t>(fs::space(folder_).available);
  if (free < bytes + kDiskKeptFree)
    throw InputCacheFull(folder_.string() + ": the disk has only " + gib(free) + " free, and " +
                         gib(bytes + kDiskKeptFree) + " are needed");
}

// Returns: the bytes that are free now; -1 when everything is in use.
int64_t InputCache::evict_oldest() {
  std::multimap<fs::file_time_type, fs::path> by_age;
  std::error_code gone;
  for (const auto& each : fs::directory_iterator(folder_))
    if (const auto used = fs::last_write_time(each.path() / kUseLock, gone); !gone)
      by_age.emplace(used, each.path());
  for (const auto& [used, place] : by_age) {
    const InputCache::Use lock(open_lock(place / kUseLock));
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) continue;
    const int64_t bytes = bytes_below(place);
    fs::remove(place / kUseLock, gone);  // first: whoever waits for the lock sees that this place has ended
    fs::remove_all(place, gone);
    return bytes;
  }
  return -1;
}

}  // namespace ranktide
