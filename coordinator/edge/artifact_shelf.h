#pragma once
// Where the adapters and weights of finished trials come to stand, as <folder>/<trial>/: whole or not at all.
// Files arrive in a store of their own and move here together. Only the worker that finished a trial may leave
// its artifact; the first one stays. Any may read it. Thread rule: the bulk door's thread.

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/net/bulk_protocol.h"
#include "coordinator/edge/artifact_hasher.h"
#include "coordinator/edge/blob_store.h"

namespace ranktide {

struct ShelfError : std::runtime_error {
  ShelfError(BulkRefusal r, const std::string& message) : std::runtime_error(message), why(r) {}
  BulkRefusal why;
};

struct ArtifactShelfConfig {
  std::filesystem::path folder;    // <data folder>/artifacts
  std::filesystem::path arriving;  // on the same file system
  std::filesystem::path hashes;    // of a HashCache
  // Of what arrives, where nothing that is complete is evicted: its worker is about to ask for it to be
  // shelved.
  BlobLimits limits{.total_bytes = int64_t{200} << 30, .file_bytes = int64_t{64} << 30};
  // Returns: whether that worker's attempt completed the trial; what is committed says so.
  std::function<bool(const WorkerName& worker, const std::string& trial)> has_finished;
  // Told of each artifact that is durable here; false: it could not be taken, and is told again when its worker
  // asks again.
  std::function<bool(const std::string& trial)> on_shelved = [](const std::string&) { return true; };
  // Told of each that somebody asked for and that is not here: it may have been, before people made room.
  std::function<void(const std::string& trial)> on_absent = [](const std::string&) {};
};

class ArtifactShelf {
 public:
  // Makes the folders when absent. Throws: std::runtime_error when they cannot be.
  explicit ArtifactShelf(ArtifactShelfConfig config);

  BlobStore& arriving() { return arriving_; }
  // Returns when the artifact is durable under the trial's name. Throws: ShelfError: not_yours, absent for
  // files that have not arrived, not_taken for names that are none; std::runtime_error when the disk refuses.
  void shelve(const WorkerName& sender, const ShelveArtifact& artifact);

  // Returns: the files of an artifact that stands here, by path, each with its hash; without, where they were
  // copied here by hand and are being hashed: whoever asks asks again. Throws: ShelfError: absent, not_taken
  // for what is no trial's id; std::runtime_error as above.
  std::vector<InputFile> files_of(const std::string& trial);
  // Returns: up to bytes_max bytes from `offset` on, none beyond the end. Throws: as files_of().
  BlobStore::Piece read(const std::string& trial, const std::string& path, int64_t offset,
                        size_t bytes_max) const;
  // Returns: the trials whose artifacts stand in `folder`.
  static std::vector<std::string> artifacts_in(const std::filesystem::path& folder);

 private:
  std::filesystem::path place_of(const std::string& trial) const;
  void remember_hashes(const ShelveArtifact& artifact, const std::filesystem::path& place) const;
  void assemble(const ShelveArtifact& artifact, const std::filesystem::path& draft) const;

  ArtifactShelfConfig config_;
  BlobStore arriving_;
  ArtifactHasher hasher_;
};

}  // namespace ranktide
