#include "worker/daemon/enrolment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/socket_options.h"

namespace ranktide {
namespace {

constexpr int kKnockEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
constexpr const char* kKnockMonitor = "inproc://enrolment-monitor";
constexpr int kFailuresMax = 3;            // of handshakes; the door turns no key away, so one would do
constexpr Duration kHandshakeMax{10'000};  // from a connection to its handshake: a foreign program stays silent
constexpr Duration kAskAgainAfter{1'000};
constexpr Duration kKnockPoll{100};

// The door lets every key in that speaks to the right server key. What fails here is not about this worker.
class Knock {
 public:
  explicit Knock(const EnrolmentRequest& request);
  ~Knock() { zmq_socket_monitor(dealer_.handle(), nullptr, 0); }

  // Returns: the answer; nullopt when the time is up. Throws: EnrolmentError, ProtocolError.
  std::optional<EnrolMessage> wait_until(Instant give_up);

 private:
  void read_monitor();
  void require_a_handshake() const;
  void ask_if_due();
  std::optional<EnrolMessage> receive();

  const EnrolmentRequest& request_;
  zmq::context_t context_{1};
  zmq::socket_t dealer_{context_, zmq::socket_type::dealer};
  zmq::socket_t monitor_{context_, zmq::socket_type::pair};
  std::optional<Instant> connected_at_;
  std::optional<Instant> ask_at_;
  bool is_through_ = false;
  int failures_ = 0;
};

Knock::Knock(const EnrolmentRequest& request) : request_(request) {
  void* const raw = dealer_.handle();
  set_common_options(raw);
  set_option(raw, ZMQ_LINGER, 0, "LINGER");
  set_option(raw, ZMQ_IMMEDIATE, 1, "IMMEDIATE");
  set_option(raw, ZMQ_IPV6, 1, "IPV6");
  set_option(raw, ZMQ_RECONNECT_IVL, 500, "RECONNECT_IVL");
  set_option(raw, ZMQ_CONNECT_TIMEOUT, 10000, "CONNECT_TIMEOUT");
  set_option(raw, ZMQ_CURVE_SERVERKEY, request.coordinator_key.c_str(), "CURVE_SERVERKEY");
  set_option(raw, ZMQ_CURVE_PUBLICKEY, request.keys.public_key.c_str(), "CURVE_PUBLICKEY");
  set_option(raw, ZMQ_CURVE_SECRETKEY, request.keys.secret_key.c_str(), "CURVE_SECRETKEY");
  zmq_socket_monitor(raw, kKnockMonitor, kKnockEvents);
  set_option(monitor_.handle(), ZMQ_LINGER, 0, "LINGER");
  monitor_.connect(kKnockMonitor);
  if (zmq_connect(raw, request.endpoint.c_str()) != 0)
    throw EnrolmentError(EnrolmentEnd::unreachable,
                         request.endpoint + ": not an address of a coordinator: " + zmq_strerror(zmq_errno()));
}

std::optional<EnrolMessage> Knock::wait_until(Instant give_up) {
  while (boot_clock_now() < give_up) {
    std::array<zmq_pollitem_t, 2> items{
        {{dealer_.handle(), -1, ZMQ_POLLIN, 0}, {monitor_.handle(), -1, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), kKnockPoll.count());
    read_monitor();
    require_a_handshake();
    ask_if_due();
    if (auto answer = receive()) return answer;
  }
  return std::nullopt;
}

void Knock::read_monitor() {
  for (;;) {
    zmq::message_t event;
    zmq::message_t address;
    if (!monitor_.recv(event, zmq::recv_flags::dontwait)) return;
    if (!monitor_.recv(address, zmq::recv_flags::dontwait)) return;
    uint16_t number = 0;
    std::memcpy(&number, event.data<char>(), sizeof number);
    if (number == ZMQ_EVENT_CONNECTED) {
      if (!connected_at_) connected_at_ = boot_clock_now();
    } else if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      is_through_ = true;
      ask_at_ = boot_clock_now();
    } else {
      ++failures_;
    }
  }
}

void Knock::require_a_handshake() const {
  if (is_through_) return;
  const bool is_silent = connected_at_ && boot_clock_now() > *connected_at_ + kHandshakeMax;
  if (failures_ < kFailuresMax && !is_silent) return;
  throw EnrolmentError(EnrolmentEnd::other_coordinator,
                       request_.endpoint +
                           ": who listens there does not hold the server key with fingerprint " +
                           fingerprint(request_.coordinator_key) +
                           ": another coordinator, one that made new keys, or another program; "
                           "`ranktide invite` on the coordinator's machine prints a join line with its key");
}

void Knock::ask_if_due() {
  if (!ask_at_ || boot_clock_now() < *ask_at_) return;
  const std::string frame = encode(EnrolMessage{request_.words});
  ask_at_ = boot_clock_now() + Duration(5'000);  // an answer may be lost with its connection
  (void)dealer_.send(zmq::buffer(frame), zmq::send_flags::dontwait);
}

std::optional<EnrolMessage> Knock::receive() {
  zmq::message_t frame;
  if (!dealer_.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
  EnrolMessage answer = decode_enrol_message({frame.data<char>(), frame.size()});
  const auto* refused = std::get_if<EnrolRefused>(&answer);
  if (refused == nullptr || refused->why != EnrolRefusal::busy) return answer;
  ask_at_ = boot_clock_now() + kAskAgainAfter;
  return std::nullopt;
}

}  // namespace

WorkerName enrol(const EnrolmentRequest& request, Duration patience) {
  Knock knock(request);
  try {
    const auto answer = knock.wait_until(boot_clock_now() + patience);
    if (!answer)
      throw EnrolmentError(EnrolmentEnd::unreachable,
                           request.endpoint + ": no answer for " + std::to_string(patience.count() / 1000) +
                               " s; does the coordinator run, and do both of its ports get through to it?");
    if (const auto* enrolled = std::get_if<Enrolled>(&*answer)) return WorkerName{enrolled->name};
    if (const auto* refused = std::get_if<EnrolRefused>(&*answer))
      throw EnrolmentError(EnrolmentEnd::refused, request.endpoint + ": " + refused->text);
    throw ProtocolError("a question where an answer is due");
  } catch (const ProtocolError& error) {
    throw EnrolmentError(EnrolmentEnd::refused,
                         request.endpoint + ": the answer is not understood: " + error.what());
  }
}

}  // namespace ranktide
