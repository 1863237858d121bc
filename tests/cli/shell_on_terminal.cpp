#include "tests/cli/shell_on_terminal.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ranktide::cli {
namespace {

[[noreturn]] void become(const std::vector<std::string>& argv, const std::filesystem::path& home) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  setenv("HOME", home.c_str(), 1);
  setenv("ZDOTDIR", home.c_str(), 1);
  setenv("XDG_CONFIG_HOME", home.c_str(), 1);
  setenv("XDG_DATA_HOME", home.c_str(), 1);
  setenv("TERM", "dumb", 1);
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

ShellOnTerminal::ShellOnTerminal(const std::vector<std::string>& argv, const std::filesystem::path& home) {
  const winsize size{.ws_row = 50, .ws_col = 200};
  pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
  if (pid_ == 0) become(argv, home);
  if (pid_ < 0) ADD_FAILURE() << "no pseudo terminal";
}

ShellOnTerminal::~ShellOnTerminal() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (terminal_ >= 0) close(terminal_);
}

void ShellOnTerminal::type(const std::string& keys) const {
  EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

bool ShellOnTerminal::read_more(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd waiting{.fd = terminal_, .events = POLLIN};
  if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
  char buffer[4096];
  const ssize_t n = read(terminal_, buffer, sizeof buffer);
  if (n > 0) screen_.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

bool ShellOnTerminal::shows(const std::string& text, std::chrono::seconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  std::size_t at = screen_.find(text, seen_);
  while (at == std::string::npos && read_more(until)) at = screen_.find(text, seen_);
  if (at != std::string::npos) seen_ = at + text.size();
  return at != std::string::npos;
}

bool ShellOnTerminal::shows_one_of(const std::vector<std::string>& texts, std::chrono::seconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto is_drawn = [&](const std::string& text) { return screen_.find(text) != std::string::npos; };
  while (!std::any_of(texts.begin(), texts.end(), is_drawn))
    if (!read_more(until)) return false;
  return true;
}

}  // namespace ranktide::cli
