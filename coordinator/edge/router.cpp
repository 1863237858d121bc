#include "coordinator/edge/router.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <spdlog/spdlog.h>
#include <utility>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/link_notice.h"
#include "common/net/socket_options.h"
#include "coordinator/edge/frames.h"
#include "coordinator/edge/routes.h"
#include "coordinator/edge/server_socket.h"
#include "coordinator/edge/stranger.h"
#include "coordinator/edge/zap.h"

namespace ranktide {
namespace {

constexpr size_t kDropsPerReceive = 1'000;
constexpr size_t kMessageFrames = 3;  // the connection, header, body

// What connections are told whose key is not active any more; one that is unknown now may be enrolled again.
constexpr std::array<std::pair<KeyStanding, std::string_view>, 2> kNotices{
    {{KeyStanding::revoked, kRevokedNotice}, {KeyStanding::expired, kExpiredNotice}}};

std::set<WorkerName> names_in(const WorkerKeys& keys) {
  std::set<WorkerName> out;
  for (const WorkerKey& key : keys.all()) out.insert(key.worker);
  return out;
}

struct Unauthorised {  // thrown: the sender's key is not active
  KeyStanding standing;
};

}  // namespace

struct Router::Sockets {
  explicit Sockets(RouterConfig c);

  void wait(Duration timeout, int doorbell);
  void answer_handshakes();
  void note_refusal(const std::string& refusal);
  void look_at_keys();
  void cut_inactive();
  FromWorker read(const std::vector<zmq::message_t>& frames);
  Header read_header(const std::vector<zmq::message_t>& frames);
  bool send_to_newest(const WorkerName& worker, const Frames& frames);
  bool send_to_all(const WorkerName& worker, const Frames& frames);
  bool send(std::string_view routing_id, const Frames& frames);

  RouterConfig config;
  WorkerKeys keys;
  zmq::context_t context{1};
  zmq::socket_t zap{context, zmq::socket_type::rep};
  zmq::socket_t router{context, zmq::socket_type::router};
  std::string endpoint;
  Routes routes;                 // of enrolled workers that were heard
  std::set<WorkerName> known;    // that the table named at the last look
  std::set<WorkerName> revoked;  // as the table said at the last look
  std::vector<WorkerName> news;  // of them, not taken yet
  Instant keys_looked_at;
  bool is_proven = false;  // the self-test has passed
  RouterCounters counters;
};

Router::Sockets::Sockets(RouterConfig c) : config(std::move(c)), keys(config.worker_keys) {
  cut_inactive();
  set_option(zap.handle(), ZMQ_LINGER, 0, "LINGER");
  zap.bind("inproc://zeromq.zap.01");
  set_common_options(router.handle());
  set_option(router.handle(), ZMQ_SNDHWM, 256, "SNDHWM");
  set_option(router.handle(), ZMQ_RCVHWM, 1000, "RCVHWM");
  set_option(router.handle(), ZMQ_BACKLOG, 4096, "BACKLOG");
  secure_server(router, config.keys.secret_key, kZapDomain);
  endpoint = bind_server(router, config.endpoint);
  prove_that_strangers_are_refused({.context = context,
                                    .zap = zap,
                                    .server_key = config.keys.public_key,
                                    .endpoint = endpoint,
                                    .answer_handshakes = [this] {
                                      answer_handshakes();
                                      return counters.handshakes_refused;
                                    }});
  counters.handshakes_refused = 0;
  is_proven = true;
}

void Router::Sockets::wait(Duration timeout, int doorbell) {
  std::array<zmq_pollitem_t, 3> items{{{router.handle(), -1, ZMQ_POLLIN, 0},
                                       {zap.handle(), -1, ZMQ_POLLIN, 0},
                                       {nullptr, doorbell, ZMQ_POLLIN, 0}}};
  const Duration longest = std::min(timeout, kKeysLookedAtEvery);
  zmq_poll(items.data(), static_cast<int>(items.size()), std::max(longest, Duration(0)).count());
  if (boot_clock_now() >= keys_looked_at + kKeysLookedAtEvery) look_at_keys();
  answer_handshakes();
}

void Router::Sockets::look_at_keys() {
  keys_looked_at = boot_clock_now();
  try {
    keys.refresh();
  } catch (const KeyError& error) {
    spdlog::error("{}; the table read before stays in force", error.what());
  }
  cut_inactive();  // also where the table is the same: keys expire
}

// The connection itself cannot be closed from here: ZAP was asked at its handshake only, and no call of libzmq
// ends one peer of a ROUTER. So it is told, and not listened to.
void Router::Sockets::cut_inactive() {
  const int64_t now_ms = wall_clock_ms();
  for (const auto& [standing, notice] : kNotices) {
    const auto has_it = [&](const std::string& key) { return keys.standing(key, now_ms) == standing; };
    for (const std::string& routing_id : routes.cut(has_it)) send_frames(router, {routing_id, notice});
  }
  std::set<WorkerName> now = keys.revoked_names(now_ms);
  std::set_difference(now.begin(), now.end(), revoked.begin(), revoked.end(), std::back_inserter(news));
  revoked = std::move(now);
  std::set<WorkerName> named = names_in(keys);
  std::set_difference(known.begin(), known.end(), named.begin(), named.end(), std::back_inserter(news));
  known = std::move(named);
}

// A key may have been enrolled a moment ago, and its owner waits: the table is looked at before every answer.
void Router::Sockets::answer_handshakes() {
  for (;;) {
    const std::vector<std::string> request = receive_texts(zap, kZapFramesMax);
    if (request.empty()) return;
    look_at_keys();
    const ZapAnswer answer = answer_zap(request, keys);
    send_frames(zap, {answer.frames.begin(), answer.frames.end()});
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
  if (frames.size() != kMessageFrames)
    throw ProtocolError("a message of " + std::to_string(frames.size() - 1) + " frames where 2 are due");
  const char* const user_id = zmq_msg_gets(frames[1].handle(), "User-Id");
  const std::string key = user_id == nullptr ? "" : user_id;
  const auto worker = keys.name_of(key);
  if (!worker) throw Unauthorised{keys.standing(key)};
  const Header header = read_header(frames);
  FromWorker out{.sender = *worker, .message = decode_worker_message(header, view(frames[2]))};
  routes.note(*worker, key, frames[0].to_string());
  return out;
}

// A worker of another version cannot be understood and would wait for ever. It gets a header of ours, so that
// its own log says which versions meet here.
Header Router::Sockets::read_header(const std::vector<zmq::message_t>& frames) {
  try {
    return decode_header(view(frames[1]));
  } catch (const ProtocolError&) {
    send(view(frames[0]), encode(CoordinatorMessage{AskHello{}}, 0));
    throw;
  }
}

bool Router::Sockets::send_to_newest(const WorkerName& worker, const Frames& frames) {
  const std::string* const route = routes.newest(worker);
  return route != nullptr && send(*route, frames);
}

bool Router::Sockets::send_to_all(const WorkerName& worker, const Frames& frames) {
  bool is_sent = false;
  for (const std::string& routing_id : routes.all(worker)) is_sent = send(routing_id, frames) || is_sent;
  return is_sent;
}

bool Router::Sockets::send(std::string_view routing_id, const Frames& frames) {
  return send_frames(router, {routing_id, frames.header, frames.body});
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
    const std::vector<zmq::message_t> frames = receive_frames(sockets_->router, kMessageFrames);
    if (frames.empty()) return std::nullopt;
    try {
      FromWorker out = sockets_->read(frames);
      ++counters.received;
      return out;
    } catch (const ProtocolError& error) {
      if (std::has_single_bit(++counters.malformed))
        spdlog::warn("dropped a malformed message ({} since start): {}", counters.malformed, error.what());
    } catch (const Unauthorised& sender) {
      for (const auto& [standing, notice] : kNotices)
        if (sender.standing == standing) send_frames(sockets_->router, {view(frames[0]), notice});
      if (std::has_single_bit(++counters.unauthorised))
        spdlog::warn("dropped a message of a key that is not active ({} since start)", counters.unauthorised);
    }
  }
  return std::nullopt;
}

void Router::look_at_keys() {
  sockets_->look_at_keys();
}

void Router::forget_keys(const WorkerName& worker) {
  forget_worker(sockets_->config.worker_keys, worker);
  sockets_->look_at_keys();
}

std::vector<WorkerName> Router::take_revoked() {
  return std::exchange(sockets_->news, {});
}

bool Router::send(const ToWorker& message, uint64_t epoch) {
  const Frames frames = encode(message.message, epoch);
  const bool is_sent = std::holds_alternative<Replaced>(message.message)
                           ? sockets_->send_to_all(message.worker, frames)
                           : sockets_->send_to_newest(message.worker, frames);
  ++(is_sent ? sockets_->counters.sent : sockets_->counters.unsent);
  return is_sent;
}

}  // namespace ranktide
