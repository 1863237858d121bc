#include "common/net/key_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::string reason() {
  return std::strerror(errno);
}

// Returns: whether all of it was written and synced; errno says why not.
bool write_and_sync(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0;
}

// A rename is on the disk when its folder is.
bool sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

void fail_on(const fs::path& path, const std::string& what) {
  throw KeyError(path.string() + ": " + what);
}

void require_private(const fs::path& path, mode_t allowed) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail_on(path, "cannot be read: " + reason());
  if ((info.st_mode & 0777 & ~allowed) == 0) return;
  const std::string remedy = allowed == 0700 ? "chmod 700" : "chmod 600";
  fail_on(path, "others can reach this secret; run: " + remedy + " " + path.string() +
                    ", and make new keys if anyone may have read it");
}

void make_keys_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error)) return;
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail_on(folder, "cannot be created: " + reason());
}

FileLock::FileLock(const fs::path& file)
    : fd_(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (fd_ < 0) fail_on(file, "cannot be locked: " + reason());
  if (::flock(fd_, LOCK_EX) == 0) return;
  const std::string why = reason();
  ::close(fd_);
  fail_on(file, "cannot be locked: " + why);
}

FileLock::~FileLock() {
  ::close(fd_);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void replace_lines(const fs::path& file, const std::vector<std::string>& lines) {
  const fs::path fresh = file.string() + ".new";
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && write_and_sync(fd, text) && ::rename(fresh.c_str(), file.c_str()) == 0 &&
                       sync_folder(file.parent_path());
  const std::string why = reason();
  if (fd >= 0) ::close(fd);
  if (!written) fail_on(file, "cannot be replaced: " + why);
}

}  // namespace ranktide
