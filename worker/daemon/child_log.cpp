#include "worker/daemon/child_log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <system_error>
#include <unistd.h>

namespace ranktide {

ChildLog::~ChildLog() {
  close();
}

void ChildLog::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void ChildLog::begin(const std::filesystem::path& file) {
  close();
  tail_.clear();
  new_bytes_ = 0;
  file_bytes_ = 0;
  std::error_code ignored;  // open() below says what is wrong
  std::filesystem::create_directories(file.parent_path(), ignored);
  fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) spdlog::warn("{}: no log file for this attempt: {}", file.string(), std::strerror(errno));
}

void ChildLog::append(std::string_view bytes) {
  tail_ += bytes;
  if (tail_.size() > 2 * kTailBytesMax) tail_.erase(0, tail_.size() - kTailBytesMax);
  new_bytes_ = std::min(new_bytes_ + bytes.size(), tail_.size());
  if (fd_ < 0) return;
  if (file_bytes_ + bytes.size() <= kFileBytesMax) {
    file_bytes_ += bytes.size();
    if (::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) return;
    spdlog::warn("a trainer's log file ends here: {}", std::strerror(errno));
  } else {
    constexpr std::string_view kEnd = "\n[the log file ends here: its limit is 8 MiB]\n";
    if (::write(fd_, kEnd.data(), kEnd.size()) < 0) spdlog::warn("a trainer's log file is full");
  }
  close();
}

std::string ChildLog::tail() const {
  if (tail_.size() <= kTailBytesMax) return tail_;
  const std::string newest = tail_.substr(tail_.size() - kTailBytesMax);
  const size_t line_end = newest.find('\n');
  return line_end == std::string::npos ? newest : newest.substr(line_end + 1);
}

std::string ChildLog::take_new_lines() {
  const std::string untaken = tail_.substr(tail_.size() - new_bytes_);
  const size_t lines_end = untaken.rfind('\n') + 1;  // 0 where there is none
  new_bytes_ -= lines_end;
  return untaken.substr(0, lines_end);
}

}  // namespace ranktide
