#include "common/net/enrol_protocol.h"

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::string_view kEnrolMagic = "RTEN";
constexpr size_t kHeadBytes = kEnrolMagic.size() + 1;

}  // namespace

std::string encode(const EnrolMessage& message) {
  std::string frame(kEnrolMagic);
  frame.push_back(static_cast<char>(message.index()));
  frame += std::visit([](const auto& m) { return pack(m); }, message);
  RT_CHECK(frame.size() <= kEnrolFrameBytesMax);
  return frame;
}

EnrolMessage decode_enrol_message(std::string_view frame) {
  if (frame.size() > kEnrolFrameBytesMax)
    throw ProtocolError("a frame of " + std::to_string(frame.size()) + " bytes");
  if (frame.size() < kHeadBytes || !frame.starts_with(kEnrolMagic))
    throw ProtocolError("not an enrolment frame");
  const std::string_view body = frame.substr(kHeadBytes);
  switch (frame[kEnrolMagic.size()]) {
    case 0:
      return unpack<Enrol>(body);
    case 1:
      return unpack<Enrolled>(body);
    case 2:
      return unpack<EnrolRefused>(body);
    default:
      throw ProtocolError("an enrolment frame of an unknown kind; use one ranktide version on both sides");
  }
}

}  // namespace ranktide
