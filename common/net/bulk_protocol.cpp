#include "common/net/bulk_protocol.h"

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::string_view kBulkMagic = "RTBK";
constexpr size_t kPrefixBytes = kBulkMagic.size() + 1;

std::string head_of(const BulkMessage& message) {
  std::string head(kBulkMagic);
  head.push_back(static_cast<char>(message.index()));
  head += std::visit([](const auto& m) { return pack(m); }, message);
  return head;
}

}  // namespace

std::string named_by(const BulkMessage& message) {
  return std::visit(
      []<class M>(const M& m) -> std::string {
        if constexpr (std::is_same_v<M, ShelveArtifact> || std::is_same_v<M, Shelved> ||
                      std::is_same_v<M, GetArtifact> || std::is_same_v<M, ArtifactListed>)
          return m.trial;
        else if constexpr (std::is_same_v<M, GetArtifactPiece>)
          return m.trial + "/" + m.path;
        else if constexpr (std::is_same_v<M, PutLog> || std::is_same_v<M, LogStanding>)
          return m.lease.unit.text + "/" + std::to_string(m.lease.attempt);
        else
          return m.sha256;
      },
      message);
}

bool fits_frame(const BulkMessage& message) {
  return head_of(message).size() <= kBulkHeadBytesMax;
}

std::string encode(const BulkMessage& message) {
  std::string head = head_of(message);
  RT_CHECK(head.size() <= kBulkHeadBytesMax);
  return head;
}

BulkMessage decode_bulk_message(std::string_view head) {
  if (head.size() > kBulkHeadBytesMax)
    throw ProtocolError("a head of " + std::to_string(head.size()) + " bytes");
  if (head.size() < kPrefixBytes || !head.starts_with(kBulkMagic))
    throw ProtocolError("not a frame of bulk data");
  const std::string_view body = head.substr(kPrefixBytes);
  switch (head[kBulkMagic.size()]) {
    case 0:
      return unpack<GetPiece>(body);
    case 1:
      return unpack<PutPiece>(body);
    case 2:
      return unpack<Piece>(body);
    case 3:
      return unpack<Standing>(body);
    case 4:
      return unpack<BulkRefused>(body);
    case 5:
      return unpack<ShelveArtifact>(body);
    case 6:
      return unpack<Shelved>(body);
    case 7:
      return unpack<PutLog>(body);
    case 8:
      return unpack<LogStanding>(body);
    case 9:
      return unpack<GetArtifact>(body);
    case 10:
      return unpack<ArtifactListed>(body);
    case 11:
      return unpack<GetArtifactPiece>(body);
    default:
      throw ProtocolError("bulk data of an unknown kind; use one ranktide version on both sides");
  }
}

}  // namespace ranktide
