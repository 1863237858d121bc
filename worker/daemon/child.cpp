#include "worker/daemon/child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "worker/daemon/oom_kills.h"

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

}  // namespace

Child::Child(const ChildConfig& config) {
  Pipe commands;
  Pipe reports;
  Pipe log;
  oom_kills_before_ = oom_kills();
  pid_ = spawn(config, {.commands = commands.read_end, .reports = reports.write_end, .log = log.write_end});
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
  const bool kernel_did_it = !killed_by_us_ && oom_kills() > oom_kills_before_;
  return child_end(status, kernel_did_it, log.tail());
}

void Child::kill() {
  if (reaped_) return;
  killed_by_us_ = true;
  ::kill(-pid_, SIGKILL);
}

}  // namespace ranktide
