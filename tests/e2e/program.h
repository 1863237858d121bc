#pragma once
// Runs real programs for end-to-end tests: start, signal, wait with a limit, and what they wrote.

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ranktide::e2e {

struct Ended {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

class Program {
 public:
  // Starts argv[0] in a process group of its own; output goes to files in `folder`.
  Program(std::vector<std::string> argv, std::filesystem::path folder);
  // Kills the group if it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;        // to the program alone
  void signal_group(int number) const;  // to it and its children
  // Returns: whether `text` appeared on standard error within `limit`.
  bool says(const std::string& text, std::chrono::seconds limit) const;
  // Waits for the end; a program that outlives `limit` is killed and reported with exit code 137.
  Ended wait(std::chrono::seconds limit);

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
  bool ended_ = false;
};

Ended run(const std::vector<std::string>& argv, const std::filesystem::path& folder,
          std::chrono::seconds limit = std::chrono::seconds{600});

std::string read_text(const std::filesystem::path& file);
void write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace ranktide::e2e
