#include "worker/daemon/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/vocabulary/trainer_protocol.h"

extern char** environ;

namespace ranktide {
namespace {

constexpr int kFirstOther = kTrainerReportFd + 1;  // of the descriptors that the program does not get

// What the child gets its own of.
std::vector<std::string> own_settings(const ChildConfig& config) {
  const std::string threads = std::to_string(config.threads);
  return {"OMP_NUM_THREADS=" + threads, "MKL_NUM_THREADS=" + threads, "CUDA_VISIBLE_DEVICES=" + config.gpu};
}

std::vector<std::string> environment_for(const ChildConfig& config) {
  std::vector<std::string> out = own_settings(config);
  const size_t own = out.size();
  const auto is_own = [&](std::string_view text) {
    const std::string_view name = text.substr(0, text.find('=') + 1);
    return std::any_of(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(own),
                       [&](const std::string& setting) { return setting.starts_with(name); });
  };
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!is_own(*entry)) out.emplace_back(*entry);
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Not that the machine lacks memory, processes or descriptors just now.
bool is_of_the_program(int error) {
  const std::array<int, 9> own{ENOENT, EACCES, ENOEXEC, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EPERM, ELIBBAD};
  return std::find(own.begin(), own.end(), error) != own.end();
}

int descriptors_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(limit.rlim_cur);
}

// What the child needs between fork and exec, made before: there it must not allocate, lock or throw, for
// another thread of the parent may have held whatever that needs.
struct Launch {
  char* const* words;
  char* const* environment;
  ChildDescriptors from;
  int failure;  // a pipe's end that closes with exec, or carries the errno of what failed
  pid_t parent;
  int descriptors_max;
};

[[noreturn]] void give_up(const Launch& launch) {
  const int error = errno;
  (void)!::write(launch.failure, &error, sizeof error);
  ::_exit(127);
}

// Slurm, a terminal and a container's end signal every process of the job. Those that ask for an end are for
// the worker, which has its children write checkpoints first; to them they are nothing.
void take_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The ends move out of the way first: one of them may have the number that another is to get.
void take_descriptors(const Launch& launch) {
  const int null = ::open("/dev/null", O_RDONLY);
  const int commands = ::fcntl(launch.from.commands, F_DUPFD, kFirstOther);
  const int reports = ::fcntl(launch.from.reports, F_DUPFD, kFirstOther);
  const int log = ::fcntl(launch.from.log, F_DUPFD, kFirstOther);
  for (const auto& [own, becomes] :
       {std::pair{null, 0}, {log, 1}, {log, 2}, {commands, kTrainerCommandFd}, {reports, kTrainerReportFd}})
    if (::dup2(own, becomes) < 0) give_up(launch);
  if (::close_range(kFirstOther, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int fd = kFirstOther; fd < launch.descriptors_max; ++fd)
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // before 5.11
}

[[noreturn]] void become(const Launch& launch) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(127);  // it died before the line above, and nobody will tell
  ::setpgid(0, 0);
  take_signals();
  take_descriptors(launch);
  ::execve(launch.words[0], launch.words, launch.environment);
  give_up(launch);
}

}  // namespace

pid_t spawn(const ChildConfig& config, const ChildDescriptors& descriptors) {
  std::vector<std::string> words{config.program.string()};
  words.insert(words.end(), config.arguments.begin(), config.arguments.end());
  std::vector<std::string> environment = environment_for(config);
  const std::vector<char*> argv = pointers_to(words), envp = pointers_to(environment);
  const auto refuse = [&](int error) {
    throw ChildError(config.program.string() + ": cannot be started: " + std::strerror(error),
                     is_of_the_program(error));
  };
  std::array<int, 2> failure{};
  if (::pipe2(failure.data(), O_CLOEXEC) != 0) refuse(errno);
  const Launch launch{.words = argv.data(),
                      .environment = envp.data(),
                      .from = descriptors,
                      .failure = ::fcntl(failure[1], F_DUPFD_CLOEXEC, kFirstOther),
                      .parent = ::getpid(),
                      .descriptors_max = descriptors_max()};
  ::close(failure[1]);

  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run in the child
  const pid_t pid = ::fork();
  if (pid == 0) become(launch);
  int error = pid < 0 ? errno : 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(launch.failure);
  if (error == 0 && ::read(failure[0], &error, sizeof error) > 0) ::waitpid(pid, nullptr, 0);
  ::close(failure[0]);
  if (error != 0) refuse(error);
  return pid;
}

}  // namespace ranktide
