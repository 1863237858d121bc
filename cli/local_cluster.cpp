#include "cli/local_cluster.h"

#include "cli/folders.h"
#include "cli/version.h"
#include "common/net/worker_keys.h"
#include "worker/daemon/devices.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// Progress rides on heartbeats, and somebody is watching; on one machine a beat a second costs nothing.
constexpr Duration kLocalHeartbeat{1'000};

}  // namespace

LocalCluster::LocalCluster(const fs::path& data, const fs::path& trainer, int slots, int threads_per_slot)
    : coordinator_({.data_folder = data, .core = {.heartbeat = kLocalHeartbeat}}) {
  http_.emplace(HttpServerConfig{.data_folder = data,
                                 .version = kVersion,
                                 .doors = {coordinator_.bulk_sign()},
                                 .blobs = &coordinator_.blobs()},
                coordinator_.mailbox());
  const fs::path keys = data / "keys";
  authorise_worker(coordinator_.worker_keys(), worker_public_key(keys), WorkerName{"local"});
  worker_ = std::make_unique<WorkerService>(WorkerServiceConfig{
      .work_folder = data,  // artifacts and checkpoints of a local run stand in the data folder itself
      .keys_folder = keys,
      .coordinator_endpoint = coordinator_.endpoint(),
      .coordinator_key = coordinator_.public_key(),
      .trainer = trainer,
      .inputs_program = own_program(),
      .slots = cpu_slots(measure_node(), threads_per_slot, slots),
      .version = kVersion,
  });
}

void LocalCluster::end() {
  worker_->drain();
  worker_->wait();
  http_.reset();
  coordinator_.stop();
}

}  // namespace ranktide::cli
