#pragma once
// Coordinator, one worker and its trainers on this machine, joined by loopback ZeroMQ with CURVE: the same
// services that run apart elsewhere, in one process. Not a second implementation of anything. One thread;
// drain() and stop_now() also from a signal handler.

#include <filesystem>
#include <memory>
#include <optional>

#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "worker/daemon/serve.h"

namespace ranktide::cli {

class LocalCluster {
 public:
  // Takes the data folder, makes keys at the first start, enrols the worker, starts everything.
  // Throws: StoreError when another coordinator holds the folder; KeyError, RouterError, LinkError, ChildError.
  LocalCluster(const std::filesystem::path& data, const std::filesystem::path& trainer, int slots,
               int threads_per_slot);

  CoordinatorService& coordinator() { return coordinator_; }
  WorkerService& worker() { return *worker_; }

  // Drains the worker, waits for it, then stops the coordinator.
  void end();

 private:
  CoordinatorService coordinator_;
  std::optional<HttpServer> http_;
  std::unique_ptr<WorkerService> worker_;
};

}  // namespace ranktide::cli
