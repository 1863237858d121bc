#include "cli/slurm_signals.h"

#include <atomic>
#include <csignal>

#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

std::atomic<WorkerService*> g_warned_worker{nullptr};
std::atomic_flag g_warned;

void on_slurm_signal(int) {
  WorkerService* worker = g_warned_worker.load();
  if (worker && !g_warned.test_and_set()) worker->drain();
}

void handle_all(void (*handler)(int)) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR2}) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
  }
}

}  // namespace

SlurmSignals::SlurmSignals(WorkerService& worker) {
  RT_CHECK(g_warned_worker.load() == nullptr);
  g_warned.clear();
  g_warned_worker = &worker;
  handle_all(on_slurm_signal);
}

SlurmSignals::~SlurmSignals() {
  handle_all(SIG_DFL);
  g_warned_worker = nullptr;
}

}  // namespace ranktide::cli
