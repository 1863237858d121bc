#include "worker/daemon/child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace ranktide {
namespace {

constexpr size_t kBytesPerExchange = 1 << 20;  // one noisy child must not keep the daemon from the others

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw ChildError(std::string("no pipe: ") + std::strerror(errno));
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

// Reads what is there, up to the limit of one exchange. Returns: false at the end of the stream.
bool fill(int fd, std::string& into) {
  std::array<char, 64 << 10> bytes;
  for (size_t total = 0; total < kBytesPerExchange;) {
    const ssize_t n = ::read(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    into.append(bytes.data(), static_cast<size_t>(n));
    total += static_cast<size_t>(n);
  }
  return true;
}

bool has_bytes(int fd) {
  pollfd item{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, 0) > 0 && (item.revents & POLLIN) != 0;
}

// Hands a pipe's end over to the child object, which never blocks on it.
int keep(int& end) {
  ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
  return std::exchange(end, -1);
}

// What the process gets: descriptors 0 to 4 and nothing else, default signals, a process group of its own.
class SpawnPlan {
 public:
  SpawnPlan(int commands, int reports, int log) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, log, 1);
    posix_spawn_file_actions_adddup2(&actions_, log, 2);
    posix_spawn_file_actions_adddup2(&actions_, commands, kTrainerCommandFd);
    posix_spawn_file_actions_adddup2(&actions_, reports, kTrainerReportFd);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kTrainerReportFd + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  pid_t start(const ChildConfig& config) const {
    std::vector<std::string> words{config.program.string()};
    words.insert(words.end(), config.arguments.begin(), config.arguments.end());
    std::vector<std::string> environment = environment_for(config.threads);
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> out;
      for (std::string& text : texts) out.push_back(text.data());
      out.push_back(nullptr);
      return out;
    };
    pid_t pid = -1;
    const int error = posix_spawn(&pid, config.program.c_str(), &actions_, &attributes_, pointers(words).data(),
                                  pointers(environment).data());
    if (error != 0) throw ChildError(config.program.string() + ": cannot be started: " + std::strerror(error));
    return pid;
  }

 private:
  static std::vector<std::string> environment_for(int threads) {
    std::vector<std::string> out;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      if (!text.starts_with("OMP_NUM_THREADS=") && !text.starts_with("MKL_NUM_THREADS="))
        out.emplace_back(text);
    }
    out.push_back("OMP_NUM_THREADS=" + std::to_string(threads));
    out.push_back("MKL_NUM_THREADS=" + std::to_string(threads));
    return out;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Returns: processes that the kernel has killed for memory since it started; 0 where it does not count.
int64_t kernel_oom_kills() {
  std::ifstream in("/proc/vmstat");
  int64_t count = 0;
  for (std::string name; in >> name >> count;)
    if (name == "oom_kill") return count;
  return 0;
}

bool speaks_of_memory(const std::string& log_tail) {
  for (const char* words :
       {"std::bad_alloc", "DefaultCPUAllocator: can't allocate memory", "CUDA out of memory"})
    if (log_tail.find(words) != std::string::npos) return true;
  return false;
}

ChildEnd decode(int wait_status, bool kernel_killed_for_memory, const std::string& log_tail) {
  if (WIFEXITED(wait_status)) {
    const int code = WEXITSTATUS(wait_status);
    if (code != 0 && speaks_of_memory(log_tail))
      return {EndKind::out_of_memory, code, "out of memory, with exit code " + std::to_string(code)};
    return {EndKind::exited, code, "exited with code " + std::to_string(code)};
  }
  const int signal = WTERMSIG(wait_status);
  const std::string by = "by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  if (signal == SIGKILL && kernel_killed_for_memory)
    return {EndKind::out_of_memory, signal, "killed " + by + " by the kernel, for memory"};
  if (signal == SIGABRT && speaks_of_memory(log_tail))
    return {EndKind::out_of_memory, signal, "out of memory, ended " + by};
  return {EndKind::signalled, signal, "killed " + by};
}

}  // namespace

Child::Child(const ChildConfig& config) {
  Pipe commands;
  Pipe reports;
  Pipe log;
  oom_kills_before_ = kernel_oom_kills();
  pid_ = SpawnPlan(commands.read_end, reports.write_end, log.write_end).start(config);
  command_fd_ = keep(commands.write_end);
  report_fd_ = keep(reports.read_end);
  log_fd_ = keep(log.read_end);
}

Child::~Child() {
  kill();
  if (!reaped_) ::waitpid(pid_, nullptr, 0);
  ::close(command_fd_);
  ::close(report_fd_);
  ::close(log_fd_);
}

void Child::send(const TrainerCommand& command) {
  outgoing_ += encode(command);
  flush();
}

std::vector<pollfd> Child::pollfds() const {
  std::vector<pollfd> out;
  if (!reports_closed_ && !paused_) out.push_back({.fd = report_fd_, .events = POLLIN, .revents = 0});
  if (!log_closed_) out.push_back({.fd = log_fd_, .events = POLLIN, .revents = 0});
  if (!outgoing_.empty()) out.push_back({.fd = command_fd_, .events = POLLOUT, .revents = 0});
  return out;
}

std::vector<TrainerReport> Child::exchange(ChildLog& log) {
  flush();
  std::string printed;
  log_closed_ = log_closed_ || !fill(log_fd_, printed);
  if (!printed.empty()) log.append(printed);
  std::vector<TrainerReport> reports;
  if (paused_) return reports;
  reports_closed_ = reports_closed_ || !fill(report_fd_, incoming_);
  try {
    while (auto report = take_report(incoming_)) reports.push_back(std::move(*report));
  } catch (const ProtocolError&) {
    reports_closed_ = true;  // where a frame begins is lost: nothing after it can be read
    incoming_.clear();
    throw;
  }
  return reports;
}

void Child::flush() {
  while (!outgoing_.empty()) {
    const ssize_t n = ::write(command_fd_, outgoing_.data(), outgoing_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return outgoing_.clear();  // nobody reads any more: its end tells the story
    outgoing_.erase(0, static_cast<size_t>(n));
  }
}

std::optional<ChildEnd> Child::take_end(ChildLog& log) {
  siginfo_t info{};
  if (reaped_ || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return std::nullopt;
  if (info.si_pid != pid_) return std::nullopt;
  // Not reaped yet, so the group's number is still ours: no stranger can be hit.
  ::kill(-pid_, SIGKILL);
  std::string printed;
  log_closed_ = log_closed_ || !fill(log_fd_, printed);
  log.append(printed);
  if (!reports_closed_ && has_bytes(report_fd_)) return std::nullopt;
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  reaped_ = true;
  const bool kernel_did_it = !killed_by_us_ && kernel_oom_kills() > oom_kills_before_;
  return decode(status, kernel_did_it, log.tail());
}

void Child::kill() {
  if (reaped_) return;
  killed_by_us_ = true;
  ::kill(-pid_, SIGKILL);
}

}  // namespace ranktide
