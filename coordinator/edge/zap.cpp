#include "coordinator/edge/zap.h"

#include <array>
#include <string_view>
#include <zmq.h>

namespace ranktide {
namespace {

// Places in a CURVE request (RFC 27).
enum Frame : size_t { kVersion, kRequestId, kDomain, kAddress, kRoutingId, kMechanism, kKey, kFrameCount };

std::string key_text(const std::string& key_bytes) {
  std::array<char, kKeyTextBytes + 1> out{};
  return zmq_z85_encode(out.data(), reinterpret_cast<const uint8_t*>(key_bytes.data()), key_bytes.size()) ==
                 nullptr
             ? std::string()
             : std::string(out.data());
}

std::vector<std::string> reply(const std::string& request_id, const char* status, const char* text,
                               const std::string& user_id) {
  return {"1.0", request_id, status, text, user_id, ""};
}

bool is_sound(const std::vector<std::string>& request, std::string_view domain) {
  return request.size() == kFrameCount && request[kVersion] == "1.0" && request[kDomain] == domain &&
         request[kMechanism] == "CURVE" && request[kKey].size() == 32;
}

ZapAnswer not_understood(const std::vector<std::string>& request) {
  return {reply(request.size() > kRequestId ? request[kRequestId] : "", "500", "not understood", ""),
          "a handshake that is not ours (" + std::to_string(request.size()) + " frames)"};
}

}  // namespace

ZapAnswer answer_zap(const std::vector<std::string>& request, const WorkerKeys& keys) {
  if (!is_sound(request, kZapDomain)) return not_understood(request);
  const std::string key = key_text(request[kKey]);
  const auto whose = [&](const char* standing) {
    return "a worker at " + request[kAddress] + " with the " + standing + " key " + key + " (fingerprint " +
           fingerprint(key) + ")";
  };
  switch (keys.standing(key)) {
    case KeyStanding::active:
      return {reply(request[kRequestId], "200", "OK", key), ""};
    case KeyStanding::revoked:
      return {reply(request[kRequestId], "400", "key revoked", ""), whose("revoked")};
    case KeyStanding::expired:
      return {reply(request[kRequestId], "500", "key expired", ""), whose("expired")};
    case KeyStanding::unknown:
      break;
  }
  return {reply(request[kRequestId], "300", "key not enrolled", ""), whose("unknown")};
}

ZapAnswer answer_enrol_zap(const std::vector<std::string>& request) {
  if (!is_sound(request, kEnrolZapDomain)) return not_understood(request);
  return {reply(request[kRequestId], "200", "OK", key_text(request[kKey])), ""};
}

}  // namespace ranktide
