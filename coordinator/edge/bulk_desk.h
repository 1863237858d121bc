#pragma once
// What a worker is answered at the port for bulk data: pieces of files out of the store, where files that it
// sends stand, and whether what a trial left or printed has its place. Sockets are bulk_door.h's. Thread rule:
// one thread.

#include <string>
#include <string_view>

#include "common/net/bulk_protocol.h"
#include "coordinator/edge/artifact_shelf.h"
#include "coordinator/edge/blob_store.h"
#include "coordinator/edge/log_shelf.h"

namespace ranktide {

struct BulkAnswer {
  BulkMessage message;
  std::string bytes;  // of a Piece
};

class BulkDesk {
 public:
  // Outlives: all three must outlive it.
  BulkDesk(BlobStore& blobs, ArtifactShelf& shelf, LogShelf& logs)
      : blobs_(blobs), shelf_(shelf), logs_(logs) {}

  // Returns: the one answer to a question of a worker that is enrolled under this name.
  // Throws: ProtocolError for a message that only the coordinator says; std::runtime_error when the disk
  // refuses.
  BulkAnswer answer(const WorkerName& sender, const BulkMessage& question, std::string_view bytes);

 private:
  BulkAnswer on(const WorkerName& sender, const GetPiece& get, std::string_view bytes);
  BulkAnswer on(const WorkerName& sender, const PutPiece& put, std::string_view bytes);
  BulkAnswer on(const WorkerName& sender, const ShelveArtifact& artifact, std::string_view bytes);
  BulkAnswer on(const WorkerName& sender, const PutLog& log, std::string_view bytes);
  BulkAnswer on(const WorkerName& sender, const GetArtifact& get, std::string_view bytes);
  BulkAnswer on(const WorkerName& sender, const GetArtifactPiece& get, std::string_view bytes);
  template <class Said>
  BulkAnswer on(const WorkerName&, const Said&, std::string_view) {
    throw ProtocolError("a worker says what only the coordinator says");
  }

  BlobStore& blobs_;
  ArtifactShelf& shelf_;
  LogShelf& logs_;
};

}  // namespace ranktide
