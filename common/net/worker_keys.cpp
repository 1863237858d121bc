#include "common/net/worker_keys.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ranktide {
namespace {

namespace fs = std::filesystem;

bool is_worker_name(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(kAllowed) == std::string_view::npos &&
         std::string_view("._-").find(text.front()) == std::string_view::npos;
}

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw KeyError(file.string() + ": " + what);
}

// Held while the table is changed: two commands at once must not lose one of the two changes.
class TableLock {
 public:
  explicit TableLock(const fs::path& file)
      : fd_(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0)
      fail(file, std::string("cannot be locked: ") + std::strerror(errno));
  }
  ~TableLock() { ::close(fd_); }
  TableLock(const TableLock&) = delete;
  TableLock& operator=(const TableLock&) = delete;

 private:
  int fd_;
};

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void replace(const fs::path& file, const std::vector<std::string>& lines) {
  const fs::path fresh = file.string() + ".new";
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0 && ::rename(fresh.c_str(), file.c_str()) == 0;
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  if (!written) fail(file, "cannot be replaced: " + why);
}

std::vector<std::string>::iterator line_of(std::vector<std::string>& lines, std::string_view public_key) {
  return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.size() > public_key.size() && line.starts_with(public_key) && line[public_key.size()] == ' ';
  });
}

}  // namespace

WorkerKeys::WorkerKeys(fs::path file) : file_(std::move(file)) {
  refresh();
}

bool WorkerKeys::refresh() {
  // The stamp is taken first: a change while we read makes us read once more, not once too few. It stays when
  // the file is not understood, so that this is said once and not at every look.
  const Stamp now = stamp_of(file_);
  if (now == stamp_) return false;
  stamp_ = now;
  table_ = read(file_);
  return true;
}

KeyStanding WorkerKeys::standing(std::string_view public_key) const {
  const auto it = table_.find(public_key);
  if (it == table_.end()) return KeyStanding::unknown;
  return it->second.revoked ? KeyStanding::revoked : KeyStanding::active;
}

std::optional<WorkerName> WorkerKeys::name_of(std::string_view public_key) const {
  const auto it = table_.find(public_key);
  if (it == table_.end() || it->second.revoked) return std::nullopt;
  return it->second.worker;
}

WorkerKeys::Table WorkerKeys::read(const fs::path& file) {
  Table table;
  size_t number = 0;
  for (const std::string& line : lines_of(file)) {
    ++number;
    if (line.empty() || line.starts_with("# ")) continue;
    std::istringstream words(line);
    std::string key, name, mark, rest;
    words >> key >> name >> mark >> rest;
    const bool is_sound =
        is_key_text(key) && is_worker_name(name) && (mark.empty() || mark == "revoked") && rest.empty();
    if (!is_sound)
      fail(file, "line " + std::to_string(number) + ": expected <public key> <worker name> [revoked]");
    table[key] = Entry{WorkerName{name}, mark == "revoked"};
  }
  return table;
}

WorkerKeys::Stamp WorkerKeys::stamp_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {.inode = info.st_ino,
          .size = info.st_size,
          .modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

void authorise_worker(const fs::path& file, std::string_view public_key, const WorkerName& worker) {
  if (!is_key_text(public_key)) fail(file, "not a public key: " + std::string(public_key));
  if (!is_worker_name(worker.text))
    fail(file,
         "not a worker name: \"" + worker.text + "\" (1 to 64 of A-Z a-z 0-9 . _ -, first a letter or digit)");
  const TableLock lock(file);
  std::vector<std::string> lines = lines_of(file);
  const auto old = line_of(lines, public_key);
  if (old != lines.end() && old->ends_with(" revoked"))
    fail(file, "the key was revoked; make a new one on the worker");
  const std::string line = std::string(public_key) + " " + worker.text;
  if (old != lines.end() && *old == line) return;
  if (old != lines.end())
    *old = line;
  else
    lines.push_back(line);
  replace(file, lines);
}

void revoke_worker_key(const fs::path& file, std::string_view public_key) {
  const TableLock lock(file);
  std::vector<std::string> lines = lines_of(file);
  const auto line = line_of(lines, public_key);
  if (line == lines.end()) fail(file, "no such key: " + std::string(public_key));
  if (!line->ends_with(" revoked")) *line += " revoked";
  replace(file, lines);
}

}  // namespace ranktide
