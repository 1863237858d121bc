#include "cli/slurm_signals.h"

#include <atomic>
#include <csignal>

#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

std::atomic<WorkerService*> g_worker{nullptr};
std::atomic_flag g_warned;

void on_signal(int) {
  WorkerService* worker = g_worker.load();
  if (worker && !g_warned.test_and_set()) worker->drain();
}

void handle(void (*handler)(int)) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR2}) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
  }
}

}  // namespace

SlurmSignals::SlurmSignals(WorkerService& worker) {
  RT_CHECK(g_worker.load() == nullptr);
  g_warned.clear();
  g_worker = &worker;
  handle(on_signal);
}

SlurmSignals::~SlurmSignals() {
  handle(SIG_DFL);
  g_worker = nullptr;
}

}  // namespace ranktide::cli
