#pragma once
// The worker's end of the port for bulk data: fetches one file at a time by its hash, and leaves one there. For
// a process of its own (input_process.h), never for the thread that sends heartbeats: every call waits. What it
// has received stays in the file that it fills, so that whoever calls again goes on from there. One thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/net/bulk_protocol.h"
#include "common/net/keys.h"
#include "common/vocabulary/time.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

struct BulkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct BulkAbsent : BulkError {  // the coordinator has no such file
  using BulkError::BulkError;
};

struct BulkNotTaken : BulkError {  // the coordinator is there and will not have it, for the reason it gives
  using BulkError::BulkError;
};

struct BulkNotYours
    : BulkError {  // the coordinator knows no attempt of ours that finished, or has printed, this
  using BulkError::BulkError;
};

struct BulkClientConfig {
  std::string endpoint;         // of the coordinator's bulk port
  std::string coordinator_key;  // its public key
  KeyPair keys;                 // this worker's
  Duration ask_again{5'000};    // without an answer
  Duration silence_max{60'000};
};

class BulkClient {
 public:
  using OnProgress = std::function<void(int64_t here)>;  // bytes of the file

  // Starts to connect. Throws: BulkError for an endpoint or key that is not understood.
  explicit BulkClient(BulkClientConfig config);
  ~BulkClient();
  BulkClient(const BulkClient&) = delete;
  BulkClient& operator=(const BulkClient&) = delete;

  // Completes `file`, which may hold the beginning from an earlier try, checks its hash and syncs it.
  // Throws: BulkAbsent; BulkError when the coordinator is silent or refuses us, the disk does, or the hash is
  // another one; the file is then gone only in the last case.
  void fetch(const FileContent& wanted, const std::filesystem::path& file, const OnProgress& on_progress);

  // Returns: what the coordinator has of what a trial left. Throws: BulkAbsent; BulkError as above.
  std::vector<InputFile> files_of_artifact(const std::string& trial);
  // As fetch(), one of these files. Requires: it has a hash.
  void fetch_of_artifact(const std::string& trial, const InputFile& wanted, const std::filesystem::path& file,
                         const OnProgress& on_progress);

  // Leaves `file` with the coordinator, from where an earlier try ended. Returns when it is safe there.
  // Throws: BulkError as above, or with the coordinator's reason when it does not take it.
  void store(const FileContent& content, const std::filesystem::path& file, const OnProgress& on_progress);

  // Returns: whether the artifact is durable at the coordinator; false when it lacks some of its files.
  // Throws: BulkNotYours; BulkError as above.
  bool shelve(const ShelveArtifact& artifact);

  // Leaves what `file` has grown by since the coordinator's copy ended; `here` is where that was, -1: unknown.
  // Returns: where it ends now. Throws: BulkNotYours; BulkError as above.
  int64_t store_log(const Lease& lease, const std::filesystem::path& file, int64_t here);

 private:
  void fetch_pieces(const FileContent& wanted, const std::filesystem::path& file,
                    const std::function<BulkMessage(int64_t offset)>& question, const OnProgress& on_progress);

  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace ranktide
