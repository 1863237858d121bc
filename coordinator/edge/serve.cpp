#include "coordinator/edge/serve.h"

#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "coordinator/edge/bulk_door.h"
#include "coordinator/edge/query_inputs.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/router.h"
#include "coordinator/edge/shell.h"
#include "coordinator/edge/submission_look.h"

namespace ranktide {
namespace {

constexpr int kExitInputOutput =
    74;  // sysexits EX_IOERR: a service manager starts us again and the journal replays

State replay(Store& store) {
  State state;
  store.replay([&](const Record& record) { state.apply(record); });
  return state;
}

std::string bulk_endpoint_of(const CoordinatorServiceConfig& config) {
  if (!config.bulk_endpoint.empty()) return config.bulk_endpoint;
  return config.endpoint.substr(0, config.endpoint.rfind(':')) + ":*";
}

// Who finished what is asked of the committed rows, on a connection of the door's own thread.
ArtifactShelfConfig shelf_in(const std::filesystem::path& data, Mailbox& mailbox) {
  return {.folder = data / "artifacts",
          .arriving = data / "blobs" / "arriving",
          .hashes = data / "cache",
          .has_finished =
              [data](const WorkerName& worker, const std::string& trial) {
                constexpr const char* kFinished =
                    "SELECT 1 FROM v_attempt WHERE trial = ?1 AND worker = ?2 AND end_reason = 'completed' AND "
                    "kind <> 'trunk'";
                return !Reader(data).select(kFinished, {trial, worker.text}).rows.empty();
              },
          .on_shelved =
              [&mailbox](const std::string& trial) { return mailbox.tell(ArtifactsShelved{{TrialId{trial}}}); },
          .on_absent = [&mailbox](const std::string& trial) { mailbox.tell(ArtifactsGone{{TrialId{trial}}}); }};
}

// What earlier lives were left, and what was copied here by hand.
ArtifactsShelved shelved_in(const std::filesystem::path& data) {
  ArtifactsShelved out;
  for (std::string& trial : ArtifactShelf::artifacts_in(data / "artifacts"))
    out.trials.push_back(TrialId{std::move(trial)});
  return out;
}

LogShelfConfig logs_in(const std::filesystem::path& data) {
  return {.folder = logs_of(data), .was_granted = [data](const WorkerName& worker, const Lease& lease) {
            constexpr const char* kGranted =
                "SELECT 1 FROM v_attempt WHERE unit = ?1 AND attempt = ?2 AND worker = ?3";
            return !Reader(data)
                        .select(kGranted, {lease.unit.text, int64_t{lease.attempt}, worker.text})
                        .rows.empty();
          }};
}

std::unique_ptr<BlobStore> blobs_in(const std::filesystem::path& data, const BlobLimits& limits) {
  return std::make_unique<BlobStore>(data / "blobs", limits, [data] { return contents_in_use(Reader(data)); });
}

CoordinatorConfig with_bulk_port(CoordinatorConfig core, int port) {
  core.bulk_port = port;
  return core;
}

}  // namespace

// In the order of their making; the shell speaks through the router of what the store holds.
struct CoordinatorService::Parts {
  Parts(const CoordinatorServiceConfig& config, Mailbox& mailbox, std::unique_ptr<BlobStore>& blobs)
      : store(config.data_folder, config.open),
        keys(load_or_make_key_pair(config.data_folder / "keys", "coordinator")),
        router({.endpoint = config.endpoint,
                .keys = keys,
                .worker_keys = config.data_folder / "keys" / "workers"}),
        shelf(shelf_in(config.data_folder, mailbox)),
        logs(logs_in(config.data_folder)),
        bulk({.endpoint = bulk_endpoint_of(config),
              .keys = keys,
              .worker_keys = config.data_folder / "keys" / "workers"},
             *(blobs = blobs_in(config.data_folder, config.blobs)), shelf, logs),
        shell(with_bulk_port(config.core, bulk.port()), replay(store), store, router, mailbox) {}

  Store store;
  KeyPair keys;
  Router router;
  ArtifactShelf shelf;
  LogShelf logs;
  BulkDoor bulk;
  Shell shell;
};

CoordinatorService::CoordinatorService(CoordinatorServiceConfig config)
    : data_folder_(config.data_folder), worker_keys_(config.data_folder / "keys" / "workers") {
  mailbox_.tell(shelved_in(config.data_folder));
  auto parts = std::make_unique<Parts>(config, mailbox_, blobs_);
  endpoint_ = parts->router.endpoint();
  public_key_ = parts->keys.public_key;
  bulk_sign_ = parts->bulk.sign();
  bulk_refusals_ = parts->bulk.refusals();
  mailbox_.beat(boot_clock_now());
  thread_ = std::thread([this, parts = std::move(parts), after_turn = std::move(config.after_turn)]() mutable {
    serve(std::move(parts), mailbox_, after_turn);
  });
}

CoordinatorService::~CoordinatorService() {
  stop();
}

// The thread's whole life. The parts end here, the store last.
void CoordinatorService::serve(std::unique_ptr<Parts> parts, Mailbox& mailbox,
                               const std::function<void()>& after_turn) {
  sigset_t set;  // signals are the main thread's
  sigfillset(&set);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  try {
    while (!mailbox.is_closed()) {
      parts->shell.turn();
      mailbox.beat(boot_clock_now());
      if (after_turn) after_turn();
    }
  } catch (const std::exception& error) {
    spdlog::critical("the coordinator ends: {}", error.what());
    spdlog::shutdown();
    std::_Exit(kExitInputOutput);  // memory is ahead of the disk: nothing of it may be said or written any more
  }
}

Answer CoordinatorService::submit(Submit submission) {
  if (auto refused = look_ahead(submission, data_folder_)) return Rejected{*std::move(refused)};
  return mailbox_.ask(std::move(submission)).get();
}

Answer CoordinatorService::cancel(const std::string& request_id, const std::string& sweep) {
  return mailbox_.ask(ControlSweep{.request_id = request_id, .sweep = sweep, .action = SweepAction::cancel})
      .get();
}

void CoordinatorService::stop() {
  mailbox_.close();
  if (thread_.joinable()) thread_.join();
}

}  // namespace ranktide
