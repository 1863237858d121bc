#pragma once
// A real interactive shell on a pseudo terminal: what a person who presses TAB gets. Not a terminal emulator:
// what the shell draws is searched, never interpreted. One thread.

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ranktide::cli {

class ShellOnTerminal {
 public:
  // Starts argv[0] with HOME and ZDOTDIR at `home`, so that nobody's own settings take part.
  ShellOnTerminal(const std::vector<std::string>& argv, const std::filesystem::path& home);
  // Kills it.
  ~ShellOnTerminal();
  ShellOnTerminal(const ShellOnTerminal&) = delete;
  ShellOnTerminal& operator=(const ShellOnTerminal&) = delete;

  void type(const std::string& keys) const;
  // Returns: whether `text` is drawn, from the last call on, within `limit`.
  bool shows(const std::string& text, std::chrono::seconds limit = std::chrono::seconds{300});
  // Returns: whether one of `texts` is drawn, at any time, within `limit`.
  bool shows_one_of(const std::vector<std::string>& texts,
                    std::chrono::seconds limit = std::chrono::seconds{300});
  // Returns: all that was drawn, for the message of a failed test.
  const std::string& screen() const { return screen_; }

 private:
  bool read_more(std::chrono::steady_clock::time_point until);

  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace ranktide::cli
