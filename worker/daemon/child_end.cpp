#include "worker/daemon/child_end.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string_view>
#include <sys/wait.h>
#include <sysexits.h>

namespace ranktide {
namespace {

// As worker/trainer/program/serve.h has it. What the device's error says of memory is not why it is dead.
constexpr int kDeviceFault = EX_OSERR;

// Returns: from the last line on that begins so; empty where none does.
std::string_view from_last_line(std::string_view log, std::string_view beginning) {
  for (size_t at = log.rfind(beginning); at != std::string_view::npos; at = log.rfind(beginning, at - 1)) {
    if (at == 0 || log[at - 1] == '\n') return log.substr(at);
  }
  return {};
}

// The program's own last line, or the C++ library's for what nobody catches; whichever begins later.
std::string_view last_words(std::string_view log) {
  const std::string_view own = from_last_line(log, "error: "),
                         uncaught = from_last_line(log, "terminate called");
  if (own.empty() || uncaught.empty()) return own.empty() ? uncaught : own;
  return std::min(own, uncaught, [](auto a, auto b) { return a.size() < b.size(); });
}

bool speaks_of_memory(std::string_view words) {
  for (const char* each :
       {"std::bad_alloc", "DefaultCPUAllocator: can't allocate memory", "CUDA out of memory"})
    if (words.find(each) != std::string_view::npos) return true;
  return false;
}

ChildEnd end_by_signal(int signal, bool was_killed_for_memory, std::string_view words) {
  const std::string by = "by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  if (signal == SIGKILL && was_killed_for_memory)
    return {EndKind::out_of_memory, signal, "killed " + by + " by the kernel, for memory"};
  if (signal == SIGABRT && speaks_of_memory(words))
    return {EndKind::out_of_memory, signal, "out of memory, ended " + by};
  return {EndKind::signalled, signal, "killed " + by};
}

}  // namespace

ChildEnd child_end(int wait_status, bool was_killed_for_memory, const std::string& log_tail) {
  const std::string_view words = last_words(log_tail);
  if (!WIFEXITED(wait_status)) return end_by_signal(WTERMSIG(wait_status), was_killed_for_memory, words);
  const int code = WEXITSTATUS(wait_status);
  if (code != 0 && code != kDeviceFault && speaks_of_memory(words))
    return {EndKind::out_of_memory, code, "out of memory, with exit code " + std::to_string(code)};
  return {EndKind::exited, code, "exited with code " + std::to_string(code)};
}

}  // namespace ranktide
