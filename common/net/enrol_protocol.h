#pragma once
// What is said at the enrolment port: one Enrol, one answer, each a single frame. Any key may speak there, so
// this is all that is understood, and it is small. Not the protocol of enrolled workers
// (vocabulary/protocol.h), whose version it carries, so that a program of another version hears so before it
// joins. The frame's layout and the answer kinds are permanent; fields may be added.
//   "RTEN" | u8 kind | MessagePack body
// Pure; any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/vocabulary/protocol.h"

namespace ranktide {

constexpr size_t kEnrolFrameBytesMax = 1024;

struct Enrol {
  std::string token;
  std::string name;     // wanted
  std::string version;  // of the program
  uint16_t protocol = kProtocolVersion;
};
template <class Ar>
void fields(Ar& ar, Enrol& e) {
  ar("token", e.token)("name", e.name)("version", e.version)("protocol", e.protocol);
}

struct Enrolled {
  std::string name;  // under which the sender's key is known from now on
};
template <class Ar>
void fields(Ar& ar, Enrolled& e) {
  ar("name", e.name);
}

enum class EnrolRefusal { unknown_token, used_up, expired, revoked_key, other_version, bad_name, busy };
template <>
struct EnumTexts<EnrolRefusal> {
  static constexpr std::array texts{"unknown_token", "used_up",  "expired", "revoked_key",
                                    "other_version", "bad_name", "busy"};
};
struct EnrolRefused {
  EnrolRefusal why = EnrolRefusal::unknown_token;
  std::string text;  // for people: what, and what to do
};
template <class Ar>
void fields(Ar& ar, EnrolRefused& e) {
  ar("why", e.why)("text", e.text);
}

// The order gives the kinds on the wire: permanent, append only.
using EnrolMessage = std::variant<Enrol, Enrolled, EnrolRefused>;

// Requires: the frame fits kEnrolFrameBytesMax.
std::string encode(const EnrolMessage& message);
// Throws: ProtocolError for a frame that is too large, not ours, or of a kind that this version does not know.
EnrolMessage decode_enrol_message(std::string_view frame);

}  // namespace ranktide
