#include "coordinator/edge/bulk_desk.h"

#include <utility>

namespace ranktide {
namespace {

BulkAnswer refusal(const std::string& sha256, BulkRefusal why, const std::string& text) {
  return {BulkRefused{.sha256 = sha256, .why = why, .text = text}, ""};
}

BulkAnswer answer(BlobStore& store, const GetPiece& get, std::string_view) {
  auto piece = store.read(get.sha256, get.offset, kBulkPieceBytesMax);
  if (!piece) return refusal(get.sha256, BulkRefusal::absent, "the coordinator does not have it");
  return {Piece{.sha256 = get.sha256, .total = piece->total, .offset = get.offset}, std::move(piece->bytes)};
}

BulkAnswer answer(BlobStore& store, const PutPiece& put, std::string_view bytes) {
  const bool only_asks = bytes.empty() && put.total > 0;
  const BlobStore::Standing now =
      only_asks ? store.standing(put.sha256) : store.append(put.sha256, put.total, put.offset, bytes);
  return {Standing{.sha256 = put.sha256, .here = now.here, .is_complete = now.is_complete}, ""};
}

template <class Said>
BulkAnswer answer(BlobStore&, const Said&, std::string_view) {
  throw ProtocolError("a worker says what only the coordinator says");
}

}  // namespace

BulkAnswer answer_bulk(BlobStore& store, const BulkMessage& question, std::string_view bytes) {
  return std::visit(
      [&](const auto& said) -> BulkAnswer {
        try {
          return answer(store, said, bytes);
        } catch (const BlobError& error) {
          return refusal(said.sha256, BulkRefusal::not_taken, error.what());
        }
      },
      question);
}

}  // namespace ranktide
