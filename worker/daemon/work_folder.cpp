#include "worker/daemon/work_folder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

#include "common/content/manifest.h"

namespace ranktide {
namespace {

constexpr std::array kForResumes{"checkpoints", "evals"};  // a folder for each unit in each

using FileTime = std::filesystem::file_time_type;

std::vector<std::filesystem::path> folders_of_units(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code absent;
  auto it = std::filesystem::directory_iterator(folder, absent);
  for (; !absent && it != std::filesystem::directory_iterator(); it.increment(absent))
    if (is_sha256_text(it->path().filename().string())) out.push_back(it->path());
  return out;
}

// Returns: when it or anything below it was last written or used; now where that cannot be told, as while a
// trainer removes an old checkpoint.
FileTime last_use_of(const std::filesystem::path& folder) {
  std::error_code error;
  FileTime out = std::filesystem::last_write_time(folder, error);
  auto it = std::filesystem::recursive_directory_iterator(folder, error);
  while (!error && it != std::filesystem::recursive_directory_iterator()) {
    const FileTime written = it->last_write_time(error);
    if (error) break;
    out = std::max(out, written);
    it.increment(error);
  }
  return error ? FileTime::clock::now() : out;
}

}  // namespace

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
  for (const char* kept : kForResumes) std::filesystem::remove_all(folder_ / kept / unit.text, ignored);
}

void WorkFolder::use(const UnitId& unit) const {
  std::error_code absent;
  for (const char* kept : kForResumes)
    std::filesystem::last_write_time(folder_ / kept / unit.text, FileTime::clock::now(), absent);
}

std::vector<UnitId> WorkFolder::unused_for(std::chrono::hours kept) const {
  std::set<UnitId> units;
  for (const char* each : kForResumes)
    for (const std::filesystem::path& folder : folders_of_units(folder_ / each))
      units.insert(UnitId{folder.filename().string()});
  std::vector<UnitId> out;
  for (const UnitId& unit : units)
    if (is_unused_for(unit, kept)) out.push_back(unit);
  return out;
}

bool WorkFolder::forget_unused(const UnitId& unit, std::chrono::hours kept) const {
  if (!is_unused_for(unit, kept)) return false;
  forget(unit);
  return true;
}

bool WorkFolder::is_unused_for(const UnitId& unit, std::chrono::hours kept) const {
  FileTime used = FileTime::min();
  for (const char* each : kForResumes) {
    const std::filesystem::path folder = folder_ / each / unit.text;
    std::error_code unknown;
    if (std::filesystem::exists(folder, unknown) || unknown) used = std::max(used, last_use_of(folder));
  }
  return used != FileTime::min() && used < FileTime::clock::now() - kept;
}

}  // namespace ranktide
