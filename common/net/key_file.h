#pragma once
// Small files that only their owner may touch: modes checked, changed under a lock, replaced in one step. Not a
// store: whoever needs order between many facts uses the journal. Lines are text without their newline. Thread
// rule: free functions, any thread; other processes may read and change the files at any time.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ranktide {

struct KeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws: KeyError with the remedy when `path` cannot be seen, or grants more than `allowed` (0600, 0700).
void require_private(const std::filesystem::path& path, mode_t allowed);
// Makes the folder with mode 0700 where there is none; one that is there is left as it is. Throws: KeyError.
void make_keys_folder(const std::filesystem::path& folder);

// Held while a file is changed: two commands at once must not lose one of the two changes.
class FileLock {
 public:
  // Waits for `<file>.lock`. Throws: KeyError.
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

// Returns: the file's lines; none when it is absent.
std::vector<std::string> lines_of(const std::filesystem::path& file);
// A reader sees the old file or the new one, and after this returned a power loss leaves the new one; mode
// 0600. Throws: KeyError; the old file then stands as it was. Requires: the caller holds the file's lock.
void replace_lines(const std::filesystem::path& file, const std::vector<std::string>& lines);

// Throws: KeyError "<path>: <what>".
[[noreturn]] void fail_on(const std::filesystem::path& path, const std::string& what);

}  // namespace ranktide
