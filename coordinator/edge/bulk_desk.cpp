#include "coordinator/edge/bulk_desk.h"

#include <utility>

namespace ranktide {
namespace {

BulkAnswer refusal(const BulkMessage& question, BulkRefusal why, const std::string& text) {
  return {BulkRefused{.sha256 = named_by(question), .why = why, .text = text}, ""};
}

}  // namespace

BulkAnswer BulkDesk::answer(const WorkerName& sender, const BulkMessage& question, std::string_view bytes) {
  try {
    return std::visit([&](const auto& said) { return on(sender, said, bytes); }, question);
  } catch (const BlobError& error) {
    return refusal(question, BulkRefusal::not_taken, error.what());
  } catch (const ShelfError& error) {
    return refusal(question, error.why, error.what());
  }
}

BulkAnswer BulkDesk::on(const WorkerName&, const GetPiece& get, std::string_view) {
  auto piece = blobs_.read(get.sha256, get.offset, kBulkPieceBytesMax);
  if (!piece) return refusal(get, BulkRefusal::absent, "the coordinator does not have it");
  return {Piece{.sha256 = get.sha256, .total = piece->total, .offset = get.offset}, std::move(piece->bytes)};
}

BulkAnswer BulkDesk::on(const WorkerName&, const PutPiece& put, std::string_view bytes) {
  BlobStore& arriving = shelf_.arriving();
  const bool only_asks = bytes.empty() && put.total > 0;
  const BlobStore::Standing now =
      only_asks ? arriving.standing(put.sha256) : arriving.append(put.sha256, put.total, put.offset, bytes);
  return {Standing{.sha256 = put.sha256, .here = now.here, .is_complete = now.is_complete}, ""};
}

BulkAnswer BulkDesk::on(const WorkerName& sender, const ShelveArtifact& artifact, std::string_view) {
  shelf_.shelve(sender, artifact);
  return {Shelved{.trial = artifact.trial}, ""};
}

BulkAnswer BulkDesk::on(const WorkerName&, const GetArtifact& get, std::string_view) {
  const ArtifactListed listed{.trial = get.trial, .files = shelf_.files_of(get.trial)};
  if (!fits_frame(listed))
    return refusal(get, BulkRefusal::not_taken, "it has more files than a list can name");
  return {listed, ""};
}

BulkAnswer BulkDesk::on(const WorkerName&, const GetArtifactPiece& get, std::string_view) {
  BlobStore::Piece piece = shelf_.read(get.trial, get.path, get.offset, kBulkPieceBytesMax);
  return {Piece{.sha256 = named_by(get), .total = piece.total, .offset = get.offset}, std::move(piece.bytes)};
}

BulkAnswer BulkDesk::on(const WorkerName& sender, const PutLog& log, std::string_view bytes) {
  return {LogStanding{.lease = log.lease, .here = logs_.append(sender, log.lease, log.offset, bytes)}, ""};
}

}  // namespace ranktide
