#pragma once
// What is said over the sockets for bulk data: files by their hash, in pieces, in either direction. The worker
// asks and the coordinator answers each question once, so that what is outstanding is what the worker asked
// for: that is the credit. Inputs are not read by a path: whoever knows a hash gets its bytes. What finished
// trials left any worker may read, by the trial's id and the file's name below its folder. Every message has
// two frames, a head and the bytes of a piece (empty where there is none):
//   "RTBK" | u8 kind | MessagePack body      then      raw bytes, at most kBulkPieceBytesMax
// The layout and the kinds are permanent; fields may be added. Pure; any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/vocabulary/protocol.h"

namespace ranktide {

constexpr size_t kBulkPieceBytesMax = kBodyBytesMax;
constexpr size_t kBulkHeadBytesMax = 256 << 10;  // an artifact of a thousand files
constexpr int kBulkOutstandingMax = 4;           // pieces that a worker may have asked for and not got

struct GetPiece {  // answered by Piece or BulkRefused
  std::string sha256;
  int64_t offset = 0;
};
template <class Ar>
void fields(Ar& ar, GetPiece& g) {
  ar("sha256", g.sha256)("offset", g.offset);
}

struct PutPiece {  // with bytes; answered by Standing or BulkRefused. Without bytes it only asks
  std::string sha256;
  int64_t total = 0;  // of the whole file
  int64_t offset = 0;
};
template <class Ar>
void fields(Ar& ar, PutPiece& p) {
  ar("sha256", p.sha256)("total", p.total)("offset", p.offset);
}

struct Piece {  // with bytes: as many from `offset` on as fit
  std::string sha256;
  int64_t total = 0;
  int64_t offset = 0;
};
template <class Ar>
void fields(Ar& ar, Piece& p) {
  ar("sha256", p.sha256)("total", p.total)("offset", p.offset);
}

struct Standing {  // how much of a file is there; a piece that does not begin at `here` was not taken
  std::string sha256;
  int64_t here = 0;
  bool is_complete = false;  // checked and on disk
};
template <class Ar>
void fields(Ar& ar, Standing& s) {
  ar("sha256", s.sha256)("here", s.here)("is_complete", s.is_complete);
}

enum class BulkRefusal { absent, not_taken, key_revoked, not_yours, key_expired };
template <>
struct EnumTexts<BulkRefusal> {
  static constexpr std::array texts{"absent", "not_taken", "key_revoked", "not_yours", "key_expired"};
};
struct BulkRefused {
  std::string sha256;  // or what else named_by() says of the question
  BulkRefusal why = BulkRefusal::absent;
  std::string text;  // for people: what, and what to do
};
template <class Ar>
void fields(Ar& ar, BulkRefused& r) {
  ar("sha256", r.sha256)("why", r.why)("text", r.text);
}

// What a finished trial left, whose files the sender has put before, or has not: then BulkRefused{absent} says
// so, and the sender puts them and asks again. Answered by Shelved when it is durable under the trial's name.
struct ShelveArtifact {
  std::string trial;
  std::vector<InputFile> files;  // path: below the artifact's folder
};
template <class Ar>
void fields(Ar& ar, ShelveArtifact& s) {
  ar("trial", s.trial)("files", s.files);
}

struct Shelved {
  std::string trial;
};
template <class Ar>
void fields(Ar& ar, Shelved& s) {
  ar("trial", s.trial);
}

// A running trainer's output, with bytes, as it grows: for people. Answered by LogStanding or BulkRefused.
// Without bytes it only asks.
struct PutLog {
  Lease lease;
  int64_t offset = 0;
};
template <class Ar>
void fields(Ar& ar, PutLog& p) {
  ar("lease", p.lease)("offset", p.offset);
}

struct LogStanding {
  Lease lease;
  int64_t here = 0;  // bytes; a piece that does not begin here was not taken
};
template <class Ar>
void fields(Ar& ar, LogStanding& s) {
  ar("lease", s.lease)("here", s.here);
}

// What a finished trial left, by whoever is to go on from it. Answered by ArtifactListed or BulkRefused.
struct GetArtifact {
  std::string trial;
};
template <class Ar>
void fields(Ar& ar, GetArtifact& g) {
  ar("trial", g.trial);
}

struct ArtifactListed {
  std::string trial;
  std::vector<InputFile> files;  // path: below the artifact's folder; sha256: empty while it is made: ask again
};
template <class Ar>
void fields(Ar& ar, ArtifactListed& l) {
  ar("trial", l.trial)("files", l.files);
}

// Answered by Piece, in which `sha256` is what named_by() says of this, or BulkRefused.
struct GetArtifactPiece {
  std::string trial;
  std::string path;
  int64_t offset = 0;
};
template <class Ar>
void fields(Ar& ar, GetArtifactPiece& g) {
  ar("trial", g.trial)("path", g.path)("offset", g.offset);
}

// The order gives the kinds on the wire: permanent, append only.
using BulkMessage = std::variant<GetPiece, PutPiece, Piece, Standing, BulkRefused, ShelveArtifact, Shelved,
                                 PutLog, LogStanding, GetArtifact, ArtifactListed, GetArtifactPiece>;

// Returns: the hash, the trial, or the unit and attempt, that a message speaks of.
std::string named_by(const BulkMessage& message);

// Returns: whether its head fits kBulkHeadBytesMax; all do but a ShelveArtifact of too many files.
bool fits_frame(const BulkMessage& message);
// Returns: the head frame. Requires: fits_frame().
std::string encode(const BulkMessage& message);
// Throws: ProtocolError for a frame that is too large, not ours, or of a kind that this version does not know.
BulkMessage decode_bulk_message(std::string_view head);

}  // namespace ranktide
