// A service as a process of its own, for tests that kill it:
//   service_process coordinator DATA ENDPOINT
//   service_process worker WORK ENDPOINT KEY TRAINER STEP_MS
// The coordinator submits nothing; it serves what its folder holds. SIGTERM ends either as a service manager
// would.

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "coordinator/edge/serve.h"
#include "worker/daemon/serve.h"

namespace {

std::atomic<bool> g_is_told_to_end{false};

void wait_for_sigterm() {
  while (!g_is_told_to_end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

int run_coordinator(char** arguments) {
  ranktide::CoordinatorService service(
      {.data_folder = arguments[0],
       .endpoint = arguments[1],
       .core = {.heartbeat = ranktide::Duration(200), .lease = ranktide::Duration(6'000)}});
  wait_for_sigterm();
  service.stop();
  return 0;
}

int run_worker(char** arguments) {
  ranktide::WorkerService service({.work_folder = arguments[0],
                                   .coordinator_endpoint = arguments[1],
                                   .coordinator_key = arguments[2],
                                   .trainer = arguments[3],
                                   .trainer_arguments = {"--step-ms", arguments[4]},
                                   .slots = {{.index = 0, .device = "cpu", .memory_bytes = 1LL << 30}}});
  wait_for_sigterm();
  service.drain();
  service.wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { g_is_told_to_end = true; });
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "coordinator" && argc == 4) return run_coordinator(argv + 2);
  if (what == "worker" && argc == 7) return run_worker(argv + 2);
  return 2;
}
