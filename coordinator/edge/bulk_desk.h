#pragma once
// What a worker is answered at the port for bulk data: pieces of files out of the store, and where files that
// it sends stand. A pure look-up by hash; sockets are bulk_door.h's. Thread rule: one thread.

#include <string>
#include <string_view>

#include "common/net/bulk_protocol.h"
#include "coordinator/edge/blob_store.h"

namespace ranktide {

struct BulkAnswer {
  BulkMessage message;
  std::string bytes;  // of a Piece
};

// Returns: the one answer to a question. Throws: ProtocolError for a message that only the coordinator says.
BulkAnswer answer_bulk(BlobStore& store, const BulkMessage& question, std::string_view bytes);

}  // namespace ranktide
