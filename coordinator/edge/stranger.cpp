#include "coordinator/edge/stranger.h"

#include <cstdint>
#include <cstring>

#include "common/net/keys.h"
#include "common/net/socket_options.h"

namespace ranktide {
namespace {

constexpr int kAdmitted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
constexpr int kTurnedAway = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr const char* kMonitorPlace = "inproc://stranger-monitor";

}  // namespace

Stranger::Stranger(zmq::context_t& context, const std::string& server_key, const std::string& endpoint)
    : dealer(context, zmq::socket_type::dealer), monitor(context, zmq::socket_type::pair) {
  const KeyPair keys = make_key_pair();
  set_option(dealer.handle(), ZMQ_LINGER, 0, "LINGER");
  set_option(dealer.handle(), ZMQ_IPV6, 1, "IPV6");  // the router may listen there
  set_option(dealer.handle(), ZMQ_CURVE_SERVERKEY, server_key.c_str(), "CURVE_SERVERKEY");
  set_option(dealer.handle(), ZMQ_CURVE_PUBLICKEY, keys.public_key.c_str(), "CURVE_PUBLICKEY");
  set_option(dealer.handle(), ZMQ_CURVE_SECRETKEY, keys.secret_key.c_str(), "CURVE_SECRETKEY");
  set_option(monitor.handle(), ZMQ_LINGER, 0, "LINGER");
  zmq_socket_monitor(dealer.handle(), kMonitorPlace, kAdmitted | kTurnedAway);
  monitor.connect(kMonitorPlace);
  dealer.connect(endpoint);
}

Stranger::~Stranger() {
  zmq_socket_monitor(dealer.handle(), nullptr, 0);
}

std::optional<bool> Stranger::verdict() {
  zmq::message_t event;
  zmq::message_t address;
  if (!monitor.recv(event, zmq::recv_flags::dontwait)) return std::nullopt;
  if (!monitor.recv(address, zmq::recv_flags::dontwait)) return std::nullopt;
  uint16_t number = 0;
  std::memcpy(&number, event.data<char>(), sizeof number);
  return (number & kAdmitted) != 0;
}

}  // namespace ranktide
