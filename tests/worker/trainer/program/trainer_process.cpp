#include "tests/worker/trainer/program/trainer_process.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "common/vocabulary/check.h"
#include "tests/worker/trainer/tiny_model.h"

extern char** environ;

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr int kSilenceMs = 300'000;
constexpr int kFirstOwnFd =
    10;  // pipe ends stay clear of the descriptors 3 and 4 that they become in the child

// What the child gets in place of this process's descriptors.
class Redirections {
 public:
  Redirections() { posix_spawn_file_actions_init(&actions_); }
  ~Redirections() { posix_spawn_file_actions_destroy(&actions_); }
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;

  void file(int fd, const fs::path& path, int flags) {
    posix_spawn_file_actions_addopen(&actions_, fd, path.c_str(), flags, 0600);
  }
  void descriptor(int fd, int own) { posix_spawn_file_actions_adddup2(&actions_, own, fd); }

  pid_t start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), RANKTIDE_TRAINER_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    RT_CHECK(posix_spawn(&pid, argv[0], &actions_, nullptr, argv.data(), environ) == 0);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
};

struct PipeEnds {
  int read = -1;
  int write = -1;
};

PipeEnds make_pipe() {
  std::array<int, 2> low{};
  RT_CHECK(::pipe(low.data()) == 0);
  const PipeEnds ends{::fcntl(low[0], F_DUPFD_CLOEXEC, kFirstOwnFd),
                      ::fcntl(low[1], F_DUPFD_CLOEXEC, kFirstOwnFd)};
  ::close(low[0]);
  ::close(low[1]);
  return ends;
}

int exit_code_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) RT_CHECK(errno == EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Ended run_window(std::vector<std::string> arguments, const fs::path& folder, const std::string& input) {
  const fs::path in = folder / "stdin", out = folder / "stdout", err = folder / "stderr";
  write_file(in, input);
  Redirections redirections;
  redirections.file(STDIN_FILENO, in, O_RDONLY);
  redirections.file(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC);
  redirections.file(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
  const int exit_code = exit_code_of(redirections.start(std::move(arguments)));
  return {exit_code, read_file(out), read_file(err)};
}

Ended run_serve_without_pipes(const fs::path& work_dir, const fs::path& folder) {
  ::close(kTrainerCommandFd);  // of this test process: nothing of its own may stand in for the pipes
  ::close(kTrainerReportFd);
  return run_window({"serve", "--work-dir", work_dir.string()}, folder);
}

TrainerProcess::TrainerProcess(const fs::path& work_dir, fs::path log) : log_(std::move(log)) {
  std::signal(SIGPIPE, SIG_IGN);
  const PipeEnds commands = make_pipe(), reports = make_pipe();
  Redirections redirections;
  redirections.file(STDERR_FILENO, log_, O_WRONLY | O_CREAT | O_APPEND);
  redirections.descriptor(kTrainerCommandFd, commands.read);
  redirections.descriptor(kTrainerReportFd, reports.write);
  pid_ = redirections.start({"serve", "--work-dir", work_dir.string(), "--threads", "1"});
  ::close(commands.read);
  ::close(reports.write);
  commands_ = commands.write;
  reports_ = reports.read;
}

TrainerProcess::~TrainerProcess() {
  close_commands();
  kill();
  wait();
  ::close(reports_);
}

void TrainerProcess::send(const TrainerCommand& command) {
  send_bytes(encode(command));
}

void TrainerProcess::send_bytes(const std::string& bytes) {
  RT_CHECK(::write(commands_, bytes.data(), bytes.size()) == std::ssize(bytes));
}

std::optional<TrainerReport> TrainerProcess::next() {
  for (;;) {
    if (auto report = take_report(incoming_)) return report;
    pollfd readable{.fd = reports_, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kSilenceMs) <= 0) return std::nullopt;
    std::array<char, 1 << 14> chunk;
    const ssize_t n = ::read(reports_, chunk.data(), chunk.size());
    if (n <= 0) return std::nullopt;
    incoming_.append(chunk.data(), static_cast<size_t>(n));
  }
}

void TrainerProcess::close_commands() {
  if (commands_ >= 0) ::close(std::exchange(commands_, -1));
}

void TrainerProcess::leave_room_for(int64_t bytes) {
  std::ifstream pages("/proc/" + std::to_string(pid_) + "/statm");
  rlim_t size = 0;
  pages >> size;
  RT_CHECK(size > 0);
  const rlim_t most = size * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + static_cast<rlim_t>(bytes);
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  RT_CHECK(::prlimit(pid_, RLIMIT_AS, &limit, nullptr) == 0);
}

void TrainerProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

int TrainerProcess::wait() {
  return pid_ > 0 ? exit_code_of(std::exchange(pid_, -1)) : -1;
}

std::string TrainerProcess::log() const {
  return read_file(log_);
}

}  // namespace ranktide
