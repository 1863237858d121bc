#pragma once
// Starts one program as a child of this thread: descriptors 0 to 4 and no other, default signals but for TERM,
// INT, HUP and USR2, which it ignores, a process group of its own, and killed by the kernel when the thread
// that started it is gone, so that no trainer outlives its worker, however that ends. What is said over the
// descriptors, and reaping, is child.h's. Thread rule: any, but the thread must outlive the child.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ranktide {

struct ChildError : std::runtime_error {
  explicit ChildError(const std::string& message, bool lasting = false)
      : std::runtime_error(message), is_lasting(lasting) {}
  bool is_lasting;  // the program itself is at fault: it would not start a moment later either
};

struct ChildConfig {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  int threads = 1;  // OMP_NUM_THREADS and MKL_NUM_THREADS of the process
  std::string gpu;  // CUDA_VISIBLE_DEVICES of the process: a UUID, or empty for none
};

struct ChildDescriptors {  // this process's numbers
  int commands = -1;       // becomes kTrainerCommandFd
  int reports = -1;        // becomes kTrainerReportFd
  int log = -1;            // becomes standard output and error
};

// Throws: ChildError when the program cannot be started, naming it and the reason.
pid_t spawn(const ChildConfig& config, const ChildDescriptors& descriptors);

}  // namespace ranktide
