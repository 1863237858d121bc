#include "worker/daemon/link.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <spdlog/spdlog.h>
#include <utility>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/link_notice.h"
#include "common/net/socket_options.h"
#include "common/vocabulary/random.h"
#include "worker/daemon/frame_view.h"

namespace ranktide {
namespace {

constexpr size_t kEventsPerTake = 256;
constexpr Duration kFreshSocketFirst{15'000};  // without a first handshake
constexpr Duration kFreshSocketLater{60'000};  // without another one, once there was a first
constexpr Duration kRefusedMin{1'000};         // before the next try after a final refusal, doubling
constexpr Duration kRefusedMax{60'000};
constexpr Duration kSaidAgainAfter{60'000};  // in the log, while nothing changes
constexpr uint64_t kHelloSpreadMs = 1'000;   // of a thousand workers that find the coordinator again at once

constexpr int kLinkEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                            ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                            ZMQ_EVENT_DISCONNECTED;

short zmq_events_of(short poll_events) {
  return static_cast<short>(((poll_events & POLLIN) != 0 ? ZMQ_POLLIN : 0) |
                            ((poll_events & POLLOUT) != 0 ? ZMQ_POLLOUT : 0));
}

short poll_events_of(short zmq_events) {
  return static_cast<short>(((zmq_events & ZMQ_POLLIN) != 0 ? POLLIN : 0) |
                            ((zmq_events & ZMQ_POLLOUT) != 0 ? POLLOUT : 0) |
                            ((zmq_events & ZMQ_POLLERR) != 0 ? POLLERR : 0));
}

}  // namespace

struct Link::Sockets {
  explicit Sockets(LinkConfig c);
  ~Sockets();

  void open();
  void close(int linger_ms);
  void renew_if_due();
  void read_monitor(std::vector<LinkEvent>& out);
  void on_monitor(int event, int value, std::vector<LinkEvent>& out);
  void on_refusal(int status, std::vector<LinkEvent>& out);
  void on_notice(std::string_view notice, std::vector<LinkEvent>& out);
  void log_refusal(int status);  // 0: unknown key, or another server's
  void log_dropped(const std::string& why);
  void log_silence();
  void announce_if_due(std::vector<LinkEvent>& out);
  // Returns: false when nothing is there. Throws: ProtocolError.
  bool receive(std::vector<LinkEvent>& out);
  void wait(Duration timeout, std::vector<pollfd>& others);
  Instant next_own_deadline() const;

  LinkConfig config;
  zmq::context_t context{1};
  zmq::socket_t dealer;
  zmq::socket_t monitor;
  SplitMix64 chance;
  bool is_connected = false;
  bool was_connected = false;          // at least once
  std::optional<Instant> announce_at;  // LinkUp is due then
  std::optional<Instant> renew_at;     // a fresh socket is due then
  std::optional<Instant> refusal_logged;
  bool is_silence_logged = false;
  std::string dropped_why;  // and logged at
  Instant dropped_logged;
  Duration refused_wait = kRefusedMin;
  uint64_t opened = 0;
};

Link::Sockets::Sockets(LinkConfig c)
    : config(std::move(c)),
      chance(static_cast<uint64_t>(boot_clock_now().ms) ^ std::hash<std::string>{}(config.keys.public_key)) {
  if (!is_key_text(config.coordinator_key))
    throw LinkError("the coordinator's key is not a CURVE key: " + config.coordinator_key);
  open();
}

Link::Sockets::~Sockets() {
  close(3000);
}

void Link::Sockets::open() {
  dealer = zmq::socket_t(context, zmq::socket_type::dealer);
  void* const raw = dealer.handle();
  set_common_options(raw);
  set_option(raw, ZMQ_SNDHWM, 1000, "SNDHWM");
  set_option(raw, ZMQ_RCVHWM, 256, "RCVHWM");
  set_option(raw, ZMQ_IMMEDIATE, 1, "IMMEDIATE");  // no queue towards nobody: the spool is the queue
  set_option(raw, ZMQ_IPV6, 1, "IPV6");            // a name may have such an address only
  set_option(raw, ZMQ_CONNECT_TIMEOUT, 10000, "CONNECT_TIMEOUT");
  set_option(raw, ZMQ_RECONNECT_IVL, 500, "RECONNECT_IVL");
  set_option(raw, ZMQ_RECONNECT_IVL_MAX, was_connected ? 30000 : 5000, "RECONNECT_IVL_MAX");
  set_option(raw, ZMQ_CURVE_SERVERKEY, config.coordinator_key.c_str(), "CURVE_SERVERKEY");
  set_option(raw, ZMQ_CURVE_PUBLICKEY, config.keys.public_key.c_str(), "CURVE_PUBLICKEY");
  set_option(raw, ZMQ_CURVE_SECRETKEY, config.keys.secret_key.c_str(), "CURVE_SECRETKEY");
  const std::string place = "inproc://link-monitor-" + std::to_string(++opened);
  zmq_socket_monitor(raw, place.c_str(), kLinkEvents);
  monitor = zmq::socket_t(context, zmq::socket_type::pair);
  set_option(monitor.handle(), ZMQ_LINGER, 0, "LINGER");
  monitor.connect(place);
  if (zmq_connect(raw, config.endpoint.c_str()) != 0)
    throw LinkError(config.endpoint +
                    ": not an address of a coordinator (tcp://host:port): " + zmq_strerror(zmq_errno()));
  renew_at = boot_clock_now() + (was_connected ? kFreshSocketLater : kFreshSocketFirst);
}

void Link::Sockets::close(int linger_ms) {
  if (!dealer) return;
  zmq_socket_monitor(dealer.handle(), nullptr, 0);
  monitor.close();
  set_option(dealer.handle(), ZMQ_LINGER, linger_ms, "LINGER");
  dealer.close();
}

// Some refusals and half-open handshakes leave a socket that never tries again.
void Link::Sockets::renew_if_due() {
  if (is_connected || !renew_at || boot_clock_now() < *renew_at) return;
  log_silence();
  close(0);
  open();
}

// Once, at the first fresh socket: who was refused, or had a connection, has heard more than this.
void Link::Sockets::log_silence() {
  if (was_connected || refusal_logged || std::exchange(is_silence_logged, true)) return;
  spdlog::warn(
      "{}: no connection to the coordinator yet; does it run there, and does its port get through? "
      "It is tried on. If the coordinator has moved, start this worker once with --join and a line that "
      "`ranktide invite` prints there",
      config.endpoint);
}

void Link::Sockets::read_monitor(std::vector<LinkEvent>& out) {
  while (dealer) {
    zmq::message_t event;
    zmq::message_t address;
    if (!monitor.recv(event, zmq::recv_flags::dontwait)) return;
    if (!monitor.recv(address, zmq::recv_flags::dontwait)) return;
    uint16_t number = 0;
    int32_t value = 0;
    std::memcpy(&number, event.data<char>(), sizeof number);
    std::memcpy(&value, event.data<char>() + sizeof number, sizeof value);
    on_monitor(number, value, out);
  }
}

void Link::Sockets::on_monitor(int event, int value, std::vector<LinkEvent>& out) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: {
      const uint64_t spread_ms = was_connected ? chance.below(kHelloSpreadMs) : 0;
      announce_at = boot_clock_now() + Duration(spread_ms);
      is_connected = was_connected = true;
      renew_at.reset();
      refused_wait = kRefusedMin;
      spdlog::info("connected to the coordinator at {}", config.endpoint);
      return;
    }
    case ZMQ_EVENT_DISCONNECTED:
      if (!std::exchange(is_connected, false)) return;
      renew_at = boot_clock_now() + kFreshSocketLater;
      spdlog::warn(
          "{}: the connection to the coordinator is lost; it is sought until it is back, and what runs "
          "goes on",
          config.endpoint);
      if (!std::exchange(announce_at, std::nullopt)) out.push_back(LinkDown{});  // else LinkUp was never said
      return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      on_refusal(value, out);
      return;
    default:  // NO_DETAIL is how status 300 and a wrong server key show, PROTOCOL a foreign program there
      on_refusal(0, out);
  }
}

void Link::Sockets::on_refusal(int status, std::vector<LinkEvent>& out) {
  if (status == kRevokedStatus || status == kExpiredStatus) {
    renew_at = boot_clock_now() + refused_wait;
    refused_wait = std::min(refused_wait * 2, kRefusedMax);
    out.push_back(status == kRevokedStatus ? LinkEvent(LinkRevoked{}) : LinkEvent(LinkExpired{}));
  }
  if (refusal_logged && boot_clock_now() < *refusal_logged + kSaidAgainAfter) return;
  refusal_logged = boot_clock_now();
  log_refusal(status);
}

// What a connection that outlived its key is told.
void Link::Sockets::on_notice(std::string_view notice, std::vector<LinkEvent>& out) {
  if (notice == kRevokedNotice) on_refusal(kRevokedStatus, out);
  if (notice == kExpiredNotice) on_refusal(kExpiredStatus, out);
}

// libzmq tells a key that is not enrolled and a server key that is not theirs apart only where this link was up
// before: then the server key was right.
void Link::Sockets::log_refusal(int status) {
  const std::string own = fingerprint(config.keys.public_key);
  if (status == kRevokedStatus)
    return spdlog::error("{}: the coordinator has revoked this worker's key (fingerprint {})", config.endpoint,
                         own);
  if (status == kExpiredStatus)
    return spdlog::error("{}: this worker's key (fingerprint {}) has expired; authorise it again",
                         config.endpoint, own);
  const std::string other_key =
      was_connected ? ""
                    : ". Or the server key given here (fingerprint " + fingerprint(config.coordinator_key) +
                          ") is not that coordinator's: compare with keys/coordinator.public there";
  spdlog::warn(
      "{}: the coordinator does not know this worker's key (fingerprint {}) and is asked again. To let it "
      "in, type there, with a name for it:\n  ranktide authorise NAME '{}'\nor have `ranktide invite` print "
      "a line for `ranktide worker --join`{}",
      config.endpoint, own, config.keys.public_key, other_key);
}

void Link::Sockets::log_dropped(const std::string& why) {
  const Instant now = boot_clock_now();
  if (why == dropped_why && now < dropped_logged + kSaidAgainAfter) return;
  dropped_why = why;
  dropped_logged = now;
  spdlog::warn("{}: dropped a message: {}", config.endpoint, why);
}

void Link::Sockets::announce_if_due(std::vector<LinkEvent>& out) {
  if (!announce_at || boot_clock_now() < *announce_at) return;
  announce_at.reset();
  out.push_back(LinkUp{});
}

bool Link::Sockets::receive(std::vector<LinkEvent>& out) {
  std::vector<zmq::message_t> frames(1);
  if (!dealer.recv(frames[0], zmq::recv_flags::dontwait)) return false;
  while (frames.back().more() && frames.size() < 3) {
    frames.emplace_back();
    if (!dealer.recv(frames.back(), zmq::recv_flags::dontwait))
      throw ProtocolError("a message without its end");
  }
  while (frames.back().more()) (void)dealer.recv(frames.back(), zmq::recv_flags::dontwait);
  if (frames.size() == 1) return on_notice(view(frames[0]), out), true;
  if (frames.size() != 2) throw ProtocolError("a message of " + std::to_string(frames.size()) + " frames");
  const Header header = decode_header(view(frames[0]));
  out.push_back(LinkMessage{header.epoch, decode_coordinator_message(header, view(frames[1]))});
  return true;
}

Instant Link::Sockets::next_own_deadline() const {
  Instant due = boot_clock_now() + kFreshSocketLater;
  if (announce_at) due = std::min(due, *announce_at);
  if (renew_at && !is_connected) due = std::min(due, *renew_at);
  return due;
}

void Link::Sockets::wait(Duration timeout, std::vector<pollfd>& others) {
  const Duration own = std::max(Duration(0), next_own_deadline() - boot_clock_now());
  std::vector<zmq_pollitem_t> items;
  items.push_back({dealer.handle(), -1, ZMQ_POLLIN, 0});
  items.push_back({monitor.handle(), -1, ZMQ_POLLIN, 0});
  for (const pollfd& other : others) items.push_back({nullptr, other.fd, zmq_events_of(other.events), 0});
  // An interrupted wait is a wait that ended early: every revents stays 0.
  if (zmq_poll(items.data(), static_cast<int>(items.size()), std::min(timeout, own).count()) < 0)
    items.resize(2);
  for (size_t i = 0; i < others.size(); ++i)
    others[i].revents = i + 2 < items.size() ? poll_events_of(items[i + 2].revents) : short{0};
}

Link::Link(LinkConfig config) : sockets_(std::make_unique<Sockets>(std::move(config))) {}
Link::~Link() = default;

void Link::wait(Duration timeout, std::vector<pollfd>& others) {
  sockets_->wait(timeout, others);
}

std::vector<LinkEvent> Link::take_events() {
  std::vector<LinkEvent> out;
  sockets_->read_monitor(out);
  sockets_->renew_if_due();
  sockets_->announce_if_due(out);
  for (size_t i = 0; i < kEventsPerTake; ++i) {
    try {
      if (!sockets_->receive(out)) break;
    } catch (const ProtocolError& error) {
      sockets_->log_dropped(error.what());
    }
  }
  return out;
}

bool Link::send(const WorkerMessage& message, uint64_t epoch) {
  if (!sockets_->is_connected) return false;
  const Frames frames = encode(message, epoch);
  // One function sends both frames: where the first is accepted the second is too.
  if (!sockets_->dealer.send(zmq::buffer(frames.header), zmq::send_flags::sndmore | zmq::send_flags::dontwait))
    return false;
  return sockets_->dealer.send(zmq::buffer(frames.body), zmq::send_flags::dontwait).has_value();
}

}  // namespace ranktide
