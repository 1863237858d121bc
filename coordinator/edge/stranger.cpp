#include "coordinator/edge/stranger.h"

#include <array>
#include <cstring>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "common/net/socket_options.h"
#include "coordinator/edge/router_error.h"

namespace ranktide {
namespace {

constexpr int kAdmitted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
constexpr int kTurnedAway = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr const char* kMonitorPlace = "inproc://stranger-monitor";
constexpr Duration kSelfTestMax{5'000};
constexpr Duration kSelfTestMoment{50};

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

// The stranger cannot be relied on to notice: after status 300 libzmq 4.3.4 often leaves it half-open until its
// handshake timer fires. So it gets a moment in which it must not be let in.
void prove_that_strangers_are_refused(const SelfTest& test) {
  Stranger stranger(test.context, test.server_key, test.endpoint);
  const Instant give_up = boot_clock_now() + kSelfTestMax;
  std::optional<Instant> refused;
  std::optional<bool> admitted;
  while (!admitted && boot_clock_now() < refused.value_or(give_up) + kSelfTestMoment) {
    std::array<zmq_pollitem_t, 2> items{
        {{test.zap.handle(), -1, ZMQ_POLLIN, 0}, {stranger.monitor.handle(), -1, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), kSelfTestMoment.count());
    const uint64_t refusals = test.answer_handshakes();
    admitted = stranger.verdict();
    if (!refused && refusals > 0) refused = boot_clock_now();
  }
  if (refused && !admitted.value_or(false)) return;
  throw RouterError(test.endpoint +
                    ": a stranger's key was not refused in the self-test; not serving. "
                    "This libzmq lacks CURVE or its authentication; install libzmq5 4.3.4 or newer");
}

}  // namespace ranktide
