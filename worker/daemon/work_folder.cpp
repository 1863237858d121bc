#include "worker/daemon/work_folder.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace ranktide {

WorkFolder::WorkFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw WorkFolderError(folder_.string() + ": cannot be created: " + error.message());
  const std::filesystem::path lock = folder_ / "worker.lock";
  lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) throw WorkFolderError(lock.string() + ": cannot be opened: " + std::strerror(errno));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(lock_fd_);
  throw WorkFolderError(folder_.string() +
                        ": another worker is using this folder; stop it, or give this one its own");
}

WorkFolder::~WorkFolder() {
  ::close(lock_fd_);
}

void WorkFolder::forget(const UnitId& unit) const {
  std::error_code ignored;
  for (const char* kept : {"checkpoints", "evals"})
    std::filesystem::remove_all(folder_ / kept / unit.text, ignored);
}

}  // namespace ranktide
