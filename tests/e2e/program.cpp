#include "tests/e2e/program.h"

#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "common/vocabulary/check.h"

namespace ranktide::e2e {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

void redirect(const fs::path& file, int descriptor) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || dup2(fd, descriptor) < 0) _exit(126);
}

}  // namespace

Program::Program(std::vector<std::string> argv, fs::path folder) : folder_(std::move(folder)) {
  fs::create_directories(folder_);
  std::vector<char*> arguments;
  for (std::string& a : argv) arguments.push_back(a.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  RT_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    setpgid(0, 0);
    redirect("/dev/null", 0);
    redirect(folder_ / "out", 1);
    redirect(folder_ / "err", 2);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  setpgid(pid_, pid_);
}

Program::~Program() {
  if (ended_) return;
  signal_group(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Program::signal(int number) const {
  kill(pid_, number);
}
void Program::signal_group(int number) const {
  kill(-pid_, number);
}

bool Program::says(const std::string& text, std::chrono::seconds limit) const {
  const auto end = Clock::now() + limit;
  while (Clock::now() < end) {
    if (read_text(folder_ / "err").find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return false;
}

Ended Program::wait(std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() > end) signal_group(SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  ended_ = true;
  signal_group(SIGKILL);  // what it left behind must not disturb the next test
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {.exit_code = code, .out = read_text(folder_ / "out"), .err = read_text(folder_ / "err")};
}

Ended run(const std::vector<std::string>& argv, const fs::path& folder, std::chrono::seconds limit) {
  return Program(argv, folder).wait(limit);
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const fs::path& file, const std::string& text) {
  if (file.has_parent_path()) fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace ranktide::e2e
