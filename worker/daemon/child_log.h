#pragma once
// What a trainer prints: into a file per attempt, up to a limit, and its newest part in memory for outcomes.
// Not for the daemon's own log. Thread rule: one thread.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ranktide {

class ChildLog {
 public:
  static constexpr size_t kTailBytesMax = 64 << 10;
  static constexpr size_t kFileBytesMax =
      8 << 20;  // beyond it only the tail is kept; a last line in the file says so

  ChildLog() = default;  // tail only: between two attempts there is no file
  ~ChildLog();
  ChildLog(const ChildLog&) = delete;
  ChildLog& operator=(const ChildLog&) = delete;

  // Starts the file of another attempt and an empty tail. A file that cannot be opened is logged by the daemon
  // and the tail goes on without it: a full disk must not stop training.
  void begin(const std::filesystem::path& file);
  void append(std::string_view bytes);
  // Returns: the newest output, at most kTailBytesMax, from a line's beginning.
  std::string tail() const;
  // Returns: the whole lines that came since the last call, of what is still in memory.
  std::string take_new_lines();

 private:
  void close();

  int fd_ = -1;
  size_t file_bytes_ = 0;
  std::string tail_;
  size_t new_bytes_ = 0;  // of the tail: not taken yet
};

}  // namespace ranktide
