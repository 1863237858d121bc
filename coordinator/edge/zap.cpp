#include "coordinator/edge/zap.h"

#include <array>
#include <bit>
#include <spdlog/spdlog.h>
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

}  // namespace

std::vector<std::string> answer_zap(const std::vector<std::string>& request, const WorkerKeys& keys,
                                    uint64_t& refused) {
  const bool is_ours = request.size() == kFrameCount && request[kVersion] == "1.0" &&
                       request[kDomain] == kZapDomain && request[kMechanism] == "CURVE" &&
                       request[kKey].size() == 32;
  if (!is_ours) {
    ++refused;
    spdlog::warn("refused a handshake that is not ours ({} frames)", request.size());
    return reply(request.size() > kRequestId ? request[kRequestId] : "", "500", "not understood", "");
  }
  const std::string key = key_text(request[kKey]);
  const KeyStanding standing = keys.standing(key);
  if (standing == KeyStanding::active) return reply(request[kRequestId], "200", "OK", key);
  ++refused;
  // A refused worker tries again for ever; each doubling of the count is news enough.
  if (std::has_single_bit(refused))
    spdlog::warn("refused a worker at {} with {} key {} (fingerprint {}; {} refusals since start)",
                 request[kAddress], standing == KeyStanding::revoked ? "revoked" : "unknown", key,
                 fingerprint(key), refused);
  if (standing == KeyStanding::revoked) return reply(request[kRequestId], "400", "key revoked", "");
  return reply(request[kRequestId], "300", "key not enrolled", "");
}

}  // namespace ranktide
