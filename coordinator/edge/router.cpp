#include "coordinator/edge/router.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <deque>
#include <map>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/socket_options.h"
#include "coordinator/edge/stranger.h"
#include "coordinator/edge/zap.h"

namespace ranktide {
namespace {

constexpr int kZapEnforceDomain = 93;  // in the library, but hidden by its header as a draft
constexpr Duration kKeysLookedAtEvery{1'000};
constexpr Duration kSelfTestMax{5'000};
constexpr Duration kSelfTestMoment{50};
constexpr Duration kBindMax{3'000};      // a former coordinator's port may take a moment to be free
constexpr size_t kEarlierRoutesMax = 8;  // connections of one worker that may still have messages on the way
constexpr size_t kDropsPerReceive = 1'000;
constexpr size_t kFramesMax = 3;

std::string_view view(const zmq::message_t& m) {
  return {m.data<char>(), m.size()};
}

// Returns: all frames of the next message, cut after kFramesMax + 1; empty when none is there.
std::vector<zmq::message_t> receive_frames(zmq::socket_t& socket) {
  std::vector<zmq::message_t> frames;
  zmq::message_t frame;
  if (!socket.recv(frame, zmq::recv_flags::dontwait)) return frames;
  bool more = true;
  while (more) {
    more = frame.more();
    if (frames.size() <= kFramesMax) frames.push_back(std::move(frame));
    if (more && !socket.recv(frame, zmq::recv_flags::dontwait)) break;
  }
  return frames;
}

struct Unauthorised {};  // thrown: the sender's key is not active

}  // namespace

struct Router::Sockets {
  explicit Sockets(RouterConfig c);

  void bind();
  void prove_that_strangers_are_refused();
  void wait(Duration timeout, int doorbell);
  void answer_handshakes();
  void note_refusal(const std::string& refusal);
  void look_at_keys();
  FromWorker read(const std::vector<zmq::message_t>& frames);
  void note_route(const WorkerName& worker, const std::string& routing_id);

  struct Route {
    std::string newest;
    std::deque<std::string> earlier;
  };

  RouterConfig config;
  WorkerKeys keys;
  zmq::context_t context{1};
  zmq::socket_t zap{context, zmq::socket_type::rep};
  zmq::socket_t router{context, zmq::socket_type::router};
  std::string endpoint;
  std::map<WorkerName, Route> routes;  // of enrolled workers that were heard
  Instant keys_looked_at;
  bool is_proven = false;  // the self-test has passed
  RouterCounters counters;
};

Router::Sockets::Sockets(RouterConfig c) : config(std::move(c)), keys(config.worker_keys) {
  // The handler binds before the door opens: without one, CURVE would let every key in.
  set_option(zap.handle(), ZMQ_LINGER, 0, "LINGER");
  zap.bind("inproc://zeromq.zap.01");
  void* const raw = router.handle();
  set_common_options(raw);
  set_option(raw, ZMQ_SNDHWM, 256, "SNDHWM");
  set_option(raw, ZMQ_RCVHWM, 1000, "RCVHWM");
  set_option(raw, ZMQ_LINGER, 0, "LINGER");
  set_option(raw, ZMQ_BACKLOG, 4096, "BACKLOG");
  set_option(raw, ZMQ_ROUTER_MANDATORY, 1,
             "ROUTER_MANDATORY");  // else a full or gone peer loses messages silently
  set_option(raw, ZMQ_CURVE_SERVER, 1, "CURVE_SERVER");
  set_option(raw, ZMQ_CURVE_SECRETKEY, config.keys.secret_key.c_str(), "CURVE_SECRETKEY");
  set_option(raw, ZMQ_ZAP_DOMAIN, kZapDomain, "ZAP_DOMAIN");
  set_option(raw, kZapEnforceDomain, 1, "ZAP_ENFORCE_DOMAIN");
  set_option(raw, ZMQ_IPV6, config.endpoint.find('[') == std::string::npos ? 0 : 1, "IPV6");
  bind();
  prove_that_strangers_are_refused();
}

void Router::Sockets::bind() {
  const Instant give_up = boot_clock_now() + kBindMax;
  while (zmq_bind(router.handle(), config.endpoint.c_str()) != 0) {
    if (zmq_errno() != EADDRINUSE || boot_clock_now() > give_up)
      throw RouterError(config.endpoint + ": cannot listen there: " + zmq_strerror(zmq_errno()) +
                        "; choose another port, or port * for any free one");
    std::this_thread::sleep_for(Duration(100));
  }
  endpoint = router.get(zmq::sockopt::last_endpoint);
}

// A stranger knocks: a fresh key that is in no table. We start only if our own handler is asked and turns it
// away. The stranger cannot be relied on to notice: after status 300 libzmq 4.3.4 often leaves it half-open
// until its handshake timer fires. So it gets a moment in which it must not be let in.
void Router::Sockets::prove_that_strangers_are_refused() {
  Stranger stranger(context, config.keys.public_key, endpoint);
  const Instant give_up = boot_clock_now() + kSelfTestMax;
  std::optional<Instant> refused;
  std::optional<bool> admitted;
  while (!admitted && boot_clock_now() < refused.value_or(give_up) + kSelfTestMoment) {
    std::array<zmq_pollitem_t, 2> items{
        {{zap.handle(), -1, ZMQ_POLLIN, 0}, {stranger.monitor.handle(), -1, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), kSelfTestMoment.count());
    answer_handshakes();
    admitted = stranger.verdict();
    if (!refused && counters.handshakes_refused > 0) refused = boot_clock_now();
  }
  if (!refused || admitted.value_or(false))
    throw RouterError(endpoint +
                      ": a stranger's key was not refused in the self-test; not serving. "
                      "This libzmq lacks CURVE or its authentication; install libzmq5 4.3.4 or newer");
  counters.handshakes_refused = 0;
  is_proven = true;
}

void Router::Sockets::wait(Duration timeout, int doorbell) {
  std::array<zmq_pollitem_t, 3> items{{{router.handle(), -1, ZMQ_POLLIN, 0},
                                       {zap.handle(), -1, ZMQ_POLLIN, 0},
                                       {nullptr, doorbell, ZMQ_POLLIN, 0}}};
  zmq_poll(items.data(), static_cast<int>(items.size()), std::max(timeout, Duration(0)).count());
  look_at_keys();
  answer_handshakes();
}

void Router::Sockets::look_at_keys() {
  const Instant now = boot_clock_now();
  if (now < keys_looked_at + kKeysLookedAtEvery) return;
  keys_looked_at = now;
  try {
    keys.refresh();
  } catch (const KeyError& error) {
    spdlog::error("{}; the table read before stays in force", error.what());
  }
}

void Router::Sockets::answer_handshakes() {
  for (;;) {
    std::vector<std::string> request;
    zmq::message_t frame;
    if (!zap.recv(frame, zmq::recv_flags::dontwait)) return;
    request.push_back(frame.to_string());
    while (frame.more() && zap.recv(frame, zmq::recv_flags::dontwait)) request.push_back(frame.to_string());
    const ZapAnswer answer = answer_zap(request, keys);
    for (size_t i = 0; i < answer.frames.size(); ++i)
      zap.send(zmq::buffer(answer.frames[i]),
               i + 1 < answer.frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    if (!answer.refusal.empty()) note_refusal(answer.refusal);
  }
}

// A refused worker tries again for ever; each doubling of the count is news enough. The self-test's is none.
void Router::Sockets::note_refusal(const std::string& refusal) {
  if (std::has_single_bit(++counters.handshakes_refused) && is_proven)
    spdlog::warn("refused {}; {} refusals since start", refusal, counters.handshakes_refused);
}

// Throws: ProtocolError for what is malformed, Unauthorised for a key that is not active any more: ZAP was
// asked at the handshake only, and the connection outlives a revocation.
FromWorker Router::Sockets::read(const std::vector<zmq::message_t>& frames) {
  if (frames.size() != kFramesMax)
    throw ProtocolError("a message of " + std::to_string(frames.size() - 1) + " frames where 2 are due");
  const char* const key = zmq_msg_gets(frames[1].handle(), "User-Id");
  const auto worker = keys.name_of(key == nullptr ? "" : key);
  if (!worker) throw Unauthorised{};
  const Header header = decode_header(view(frames[1]));
  FromWorker out{.sender = *worker, .message = decode_worker_message(header, view(frames[2]))};
  note_route(*worker, frames[0].to_string());
  return out;
}

// The newest connection is the one that was seen first most recently: what an older one still had on the way
// must not take the route back.
void Router::Sockets::note_route(const WorkerName& worker, const std::string& routing_id) {
  Route& route = routes[worker];
  const bool is_known = route.newest == routing_id || std::find(route.earlier.begin(), route.earlier.end(),
                                                                routing_id) != route.earlier.end();
  if (is_known) return;
  if (!route.newest.empty()) route.earlier.push_back(route.newest);
  if (route.earlier.size() > kEarlierRoutesMax) route.earlier.pop_front();
  route.newest = routing_id;
}

Router::Router(RouterConfig config) : sockets_(std::make_unique<Sockets>(std::move(config))) {}
Router::~Router() = default;

const std::string& Router::endpoint() const {
  return sockets_->endpoint;
}
const RouterCounters& Router::counters() const {
  return sockets_->counters;
}

void Router::wait(Duration timeout, int doorbell) {
  sockets_->wait(timeout, doorbell);
}

std::optional<FromWorker> Router::receive() {
  RouterCounters& counters = sockets_->counters;
  for (size_t dropped = 0; dropped < kDropsPerReceive; ++dropped) {
    const std::vector<zmq::message_t> frames = receive_frames(sockets_->router);
    if (frames.empty()) return std::nullopt;
    try {
      FromWorker out = sockets_->read(frames);
      ++counters.received;
      return out;
    } catch (const ProtocolError& error) {
      if (std::has_single_bit(++counters.malformed))
        spdlog::warn("dropped a malformed message ({} since start): {}", counters.malformed, error.what());
    } catch (const Unauthorised&) {
      if (std::has_single_bit(++counters.unauthorised))
        spdlog::warn("dropped a message of a revoked key ({} since start)", counters.unauthorised);
    }
  }
  return std::nullopt;
}

bool Router::send(const ToWorker& message, uint64_t epoch) {
  const auto route = sockets_->routes.find(message.worker);
  void* const raw = sockets_->router.handle();
  const Frames frames = encode(message.message, epoch);
  // The routing frame is where ROUTER_MANDATORY says EAGAIN (queue full) or EHOSTUNREACH (gone); once it is
  // taken, the other two are.
  const auto put = [raw](const std::string& bytes, int flags) {
    return zmq_send(raw, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT) >= 0;
  };
  const bool is_sent = route != sockets_->routes.end() && put(route->second.newest, ZMQ_SNDMORE) &&
                       put(frames.header, ZMQ_SNDMORE) && put(frames.body, 0);
  ++(is_sent ? sockets_->counters.sent : sockets_->counters.unsent);
  return is_sent;
}

}  // namespace ranktide
