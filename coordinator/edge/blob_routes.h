#pragma once
// Files over HTTP: how clients hand in what only they have, and fetch it again. In pieces, so that a cut upload
// goes on where it was and no request is large. Not who may ask (http_access.h); what is kept is
// blob_store.h's. Any thread; a piece waits for the disk.
//   GET /api/v1/blobs/SHA256                       {"here": bytes from the beginning on, "is_complete"}
//   PUT /api/v1/blobs/SHA256?offset=&total=        body: bytes that begin at `here`; the same answer. A piece
//   that
//                                                  begins elsewhere changes nothing
//   GET /api/v1/blobs/SHA256/content?offset=       up to a MiB from there on, none beyond the end
// Errors: 400 no hash or numbers, 404 not here, 413 larger than is taken, 422 not what its hash says, 507 full.

#include <optional>
#include <string>

#include "coordinator/edge/api.h"
#include "coordinator/edge/blob_store.h"
#include "coordinator/edge/token_table.h"

namespace ranktide {

struct BlobRoute {
  std::string sha256;
  enum class Act { ask, put, get } act = Act::ask;
  Scope scope() const { return act == Act::put ? Scope::submit : Scope::read; }
};
// Returns: nullopt for a method and path that mean no file. Requires: `path` is percent-decoded.
std::optional<BlobRoute> find_blob_route(const std::string& method, const std::string& path);

ApiResponse answer_blob(BlobStore& store, const BlobRoute& route, const Target& target,
                        const std::string& body);

}  // namespace ranktide
