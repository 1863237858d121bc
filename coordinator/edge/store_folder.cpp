#include "coordinator/edge/store_folder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ranktide {

namespace {

std::string folder_remedy() {
  return "; make it writable for this user, or name another folder with --data-dir";
}

// Who holds the lock, as it wrote itself into the file.
std::string holder_of(const std::filesystem::path& lock_file) {
  std::ifstream in(lock_file);
  std::string pid;
  std::getline(in, pid);
  return pid.empty() ? "another process" : "process " + pid;
}

// Somebody may hold it for a moment, to see whether somebody holds it.
bool took(int descriptor) {
  for (int tried = 0; tried < 5; ++tried) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  errno = EWOULDBLOCK;
  return false;
}

}  // namespace

void make_data_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw FolderError(FolderError::Why::cannot_write, "cannot create data folder " + folder.string() + ": " +
                                                          error.message() + folder_remedy());
}

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const auto file = folder / "lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw FolderError(FolderError::Why::cannot_write, "cannot write in data folder " + folder.string() + ": " +
                                                          std::strerror(errno) + folder_remedy());
  if (!took(descriptor_)) {
    const bool is_held = errno == EWOULDBLOCK;
    const std::string reason = std::strerror(errno);
    ::close(descriptor_);
    if (is_held)
      throw FolderError(FolderError::Why::in_use,
                        "data folder " + folder.string() + " is in use: " + holder_of(file) +
                            " serves it; end that one, or name another folder with --data-dir");
    throw FolderError(FolderError::Why::cannot_lock, "cannot lock " + file.string() + ": " + reason +
                                                         "; name a folder on a local disk with --data-dir");
  }
  // A note for the next one's message; without it the lock holds all the same.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, pid.data(), pid.size(), 0) < 0) errno = 0;
}

std::optional<std::string> FolderLock::holder(const std::filesystem::path& folder) {
  const auto file = folder / "lock";
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const bool is_held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return is_held ? std::optional(holder_of(file)) : std::nullopt;
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

Reserve::Reserve(const std::filesystem::path& folder) : file_(folder / "reserve.bin") {}

void Reserve::refill() const {
  struct statvfs disk {};
  if (::statvfs(file_.parent_path().c_str(), &disk) != 0) return;
  const auto block = static_cast<int64_t>(disk.f_frsize);
  const int64_t wanted = std::min(kBytesMax, static_cast<int64_t>(disk.f_blocks) * block / 20);
  if (wanted == 0 || static_cast<int64_t>(disk.f_bavail) * block < 10 * wanted) return;
  const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return;
  const bool is_kept = ::posix_fallocate(descriptor, 0, wanted) == 0;
  ::close(descriptor);
  if (!is_kept) spend();
}

bool Reserve::spend() const {
  std::error_code error;
  return std::filesystem::remove(file_, error) && !error;
}

}  // namespace ranktide
