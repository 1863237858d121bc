#pragma once
// Where workers fetch and leave files: a ROUTER on a port of its own behind CURVE, with its own ZAP handler on
// the same table of worker keys, so that gigabytes never stand between a heartbeat and the turn. A worker
// pulls: it gets one piece for each question, and what its connection does not take at once is dropped and
// asked for again. Thread rule: constructor and destructor from one thread; it serves on its own, with a ZeroMQ
// context of its own. A disk that fails is said to the worker that asked, and logged.

#include <filesystem>
#include <optional>
#include <string>

#include "common/net/keys.h"
#include "coordinator/edge/artifact_shelf.h"
#include "coordinator/edge/blob_store.h"
#include "coordinator/edge/log_shelf.h"
#include "coordinator/edge/refusal_counts.h"
#include "coordinator/edge/router_error.h"
#include "coordinator/edge/serving_thread.h"

namespace ranktide {

struct BulkDoorConfig {
  std::string endpoint = "tcp://127.0.0.1:*";  // port *: any free one
  KeyPair keys;                                // the coordinator's
  std::filesystem::path worker_keys;           // as RouterConfig
};

class BulkDoor {
 public:
  // Binds, and proves that strangers are refused. Outlives: store and shelves must outlive it.
  // Throws: RouterError naming endpoint and remedy; KeyError.
  BulkDoor(BulkDoorConfig config, BlobStore& blobs, ArtifactShelf& shelf, LogShelf& logs);
  ~BulkDoor();
  BulkDoor(const BulkDoor&) = delete;
  BulkDoor& operator=(const BulkDoor&) = delete;

  // Returns: the port that Welcome tells.
  int port() const { return port_; }
  const std::string& endpoint() const { return endpoint_; }
  const ServiceSign& sign() const { return thread_->sign(); }
  // Returns: handshakes refused, and questions of connections whose key was revoked or has expired since.
  const RefusalCounts& refusals() const { return refusals_; }

 private:
  struct Parts;

  int port_ = 0;
  std::string endpoint_;
  RefusalCounts refusals_;
  std::optional<ServingThread> thread_;
};

}  // namespace ranktide
