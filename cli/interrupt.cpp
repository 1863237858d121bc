#include "cli/interrupt.h"

#include <atomic>
#include <signal.h>

#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

std::atomic<WorkerService*> g_worker{nullptr};
std::atomic<int> g_signals{0};

void on_signal(int) {
  WorkerService* worker = g_worker.load();
  if (!worker) return;
  if (g_signals.fetch_add(1) == 0)
    worker->drain();
  else
    worker->stop_now();
}

void handle(int signal_number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(WorkerService& worker) {
  RT_CHECK(g_worker.load() == nullptr);
  g_signals = 0;
  g_worker = &worker;
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
}

Interrupt::~Interrupt() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  g_worker = nullptr;
}

int Interrupt::count() const {
  return g_signals.load();
}

}  // namespace ranktide::cli
