#pragma once
// How a trainer process ended, told from what the system and its last output say of it. Pure.

#include <string>

namespace ranktide {

enum class EndKind { exited, signalled, out_of_memory };
struct ChildEnd {
  EndKind kind = EndKind::exited;
  int status = 0;       // exit code or signal number
  std::string message;  // "killed by signal 11 (Segmentation fault)"
};

// `wait_status`: as waitpid gives it. `was_killed_for_memory`: the kernel killed some process for memory while
// this one ran, and nobody else is known to have killed it. Of `log_tail` counts what a process says that ends
// itself, and no warning before: it went on after that.
ChildEnd child_end(int wait_status, bool was_killed_for_memory, const std::string& log_tail);

}  // namespace ranktide
