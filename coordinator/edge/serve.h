#pragma once
// A coordinator as one object: data folder, keys, ROUTER, store and core, with the turn on a thread of its own.
// `ranktide coordinator` and `ranktide run` hold one in their process.
// Thread rule: every method from any thread, stop() from one; submit and cancel block until the turn that holds
// them has committed. A commit that fails ends the process with exit code 74, whatever else it was doing: it
// must not speak any more.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/blob_store.h"
#include "coordinator/edge/mailbox.h"
#include "coordinator/edge/refusal_counts.h"
#include "coordinator/edge/serving_thread.h"
#include "coordinator/edge/store.h"

namespace ranktide {

struct CoordinatorServiceConfig {
  std::filesystem::path data_folder;  // holds the store and keys/; locked while the service lives
  Store::Open open = Store::Open::create;
  std::string endpoint = "tcp://127.0.0.1:*";  // where workers connect
  std::string bulk_endpoint{};                 // where they fetch files; empty: at that host, any free port
  BlobLimits blobs{};                          // of <data folder>/blobs
  CoordinatorConfig core;
  std::function<void()>
      after_turn;  // on the turn's thread, at least every few seconds; neither waits nor throws
};

class CoordinatorService {
 public:
  // Opens the folder, replays, binds, starts the turn.
  // Throws: StoreError, KeyError or RouterError; nothing runs then and the folder is free again.
  explicit CoordinatorService(CoordinatorServiceConfig config);
  ~CoordinatorService();
  CoordinatorService(const CoordinatorService&) = delete;
  CoordinatorService& operator=(const CoordinatorService&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  const std::string& public_key() const { return public_key_; }
  // Returns: the table that `authorise_worker` (common/net/worker_keys.h) enrols keys in.
  const std::filesystem::path& worker_keys() const { return worker_keys_; }

  // Looked at first, on the caller's thread (submission_look.h). Returns: Submitted, or Rejected with the
  // reason. The same request id and spec get the same answer again.
  Answer submit(Submit submission);
  Answer cancel(const std::string& request_id, const std::string& sweep);
  LivePicture live() const { return mailbox_.live(); }
  // Returns: of the port for files; the link is the turn's, whose beat tells.
  const ServiceSign& bulk_sign() const { return bulk_sign_; }
  // Returns: who was turned away at the port for files. The link's are in the picture.
  const RefusalCounts& bulk_refusals() const { return bulk_refusals_; }
  // Returns: the files that clients upload and workers fetch, by hash. Outlives: as mailbox().
  BlobStore& blobs() { return *blobs_; }
  // For fronts that answer without waiting. Outlives: this object must outlive them.
  Mailbox& mailbox() { return mailbox_; }

  // Refuses new requests, ends the turn after its commit, checkpoints the store and closes it. Idempotent.
  // Workers are not told: they go on training and find the next coordinator.
  void stop();

 private:
  struct Parts;
  static void serve(std::unique_ptr<Parts> parts, Mailbox& mailbox, const std::function<void()>& after_turn);

  std::filesystem::path data_folder_;
  std::filesystem::path worker_keys_;
  std::unique_ptr<BlobStore> blobs_;
  Mailbox mailbox_;
  std::string endpoint_;
  std::string public_key_;
  ServiceSign bulk_sign_;
  RefusalCounts bulk_refusals_;
  std::thread thread_;
};

}  // namespace ranktide
