#include "coordinator/edge/bulk_door.h"

#include <array>
#include <bit>
#include <memory>
#include <optional>
#include <spdlog/spdlog.h>

#include "common/net/bulk_protocol.h"
#include "common/net/clock.h"
#include "common/net/socket_options.h"
#include "common/net/worker_keys.h"
#include "coordinator/edge/bulk_desk.h"
#include "coordinator/edge/frames.h"
#include "coordinator/edge/server_socket.h"
#include "coordinator/edge/stranger.h"
#include "coordinator/edge/zap.h"

namespace ranktide {
namespace {

constexpr size_t kQuestionFrames = 3;     // the connection, head, bytes
constexpr size_t kQuestionsPerWake = 16;  // before handshakes are looked at

BulkRefused refusal_of_key(KeyStanding standing) {
  if (standing == KeyStanding::expired)
    return {.why = BulkRefusal::key_expired, .text = "this worker's key has expired; authorise it again"};
  return {.why = BulkRefusal::key_revoked, .text = "this worker's key is not active any more"};
}

}  // namespace

struct BulkDoor::Parts {
  Parts(const BulkDoorConfig& config, BlobStore& blobs, ArtifactShelf& shelf, LogShelf& logs);

  void serve(int stop_fd);
  void look_at_keys();
  uint64_t answer_handshakes();
  void answer_questions();
  BulkAnswer answer_to(const std::vector<zmq::message_t>& frames);
  void note(uint64_t& count, const std::string& what);

  BulkDesk desk;
  WorkerKeys keys;
  zmq::context_t context{1};
  zmq::socket_t zap{context, zmq::socket_type::rep};
  zmq::socket_t router{context, zmq::socket_type::router};
  std::string endpoint;
  RefusalCount handshakes_refused{.door = "bulk", .reason = "handshake"};
  RefusalCount keys_refused{.door = "bulk", .reason = "key"};
  uint64_t malformed = 0;
  uint64_t failed = 0;
};

BulkDoor::Parts::Parts(const BulkDoorConfig& config, BlobStore& blobs, ArtifactShelf& shelf, LogShelf& logs)
    : desk(blobs, shelf, logs), keys(config.worker_keys) {
  set_option(zap.handle(), ZMQ_LINGER, 0, "LINGER");
  zap.bind("inproc://zeromq.zap.01");
  set_common_options(router.handle());
  // Of one connection: what may be asked at once, and a few more that were asked again.
  set_option(router.handle(), ZMQ_SNDHWM, 2 * kBulkOutstandingMax, "SNDHWM");
  set_option(router.handle(), ZMQ_RCVHWM, 2 * kBulkOutstandingMax, "RCVHWM");
  secure_server(router, config.keys.secret_key, kZapDomain);
  endpoint = bind_server(router, config.endpoint);
  prove_that_strangers_are_refused({.context = context,
                                    .zap = zap,
                                    .server_key = config.keys.public_key,
                                    .endpoint = endpoint,
                                    .answer_handshakes = [this] { return answer_handshakes(); }});
  *handshakes_refused.count = 0;
}

void BulkDoor::Parts::serve(int stop_fd) {
  for (;;) {
    std::array<zmq_pollitem_t, 3> items{{{router.handle(), -1, ZMQ_POLLIN, 0},
                                         {zap.handle(), -1, ZMQ_POLLIN, 0},
                                         {nullptr, stop_fd, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), kKeysLookedAtEvery.count());
    if (items[2].revents != 0) return;
    look_at_keys();
    answer_handshakes();
    answer_questions();
  }
}

void BulkDoor::Parts::look_at_keys() {
  try {
    keys.refresh();
  } catch (const KeyError& error) {
    spdlog::error("{}; the table read before stays in force", error.what());
  }
}

uint64_t BulkDoor::Parts::answer_handshakes() {
  for (;;) {
    const std::vector<std::string> request = receive_texts(zap, kZapFramesMax);
    if (request.empty()) return *handshakes_refused.count;
    look_at_keys();
    const ZapAnswer answer = answer_zap(request, keys);
    // Counted before it is told; the link's handler logs the same worker.
    if (!answer.refusal.empty()) ++*handshakes_refused.count;
    send_frames(zap, {answer.frames.begin(), answer.frames.end()});
  }
}

void BulkDoor::Parts::answer_questions() {
  for (size_t i = 0; i < kQuestionsPerWake; ++i) {
    const std::vector<zmq::message_t> frames = receive_frames(router, kQuestionFrames);
    if (frames.empty()) return;
    try {
      const BulkAnswer answer = answer_to(frames);
      send_frames(router, {view(frames[0]), encode(answer.message), answer.bytes});
    } catch (const ProtocolError& error) {
      note(malformed, std::string("dropped a malformed message at the bulk port: ") + error.what());
    } catch (const std::exception& error) {  // the disk; the worker asks again
      note(failed, std::string("bulk data: ") + error.what());
    }
  }
}

// ZAP was asked at the handshake only, and the connection outlives a revocation: every question is checked.
BulkAnswer BulkDoor::Parts::answer_to(const std::vector<zmq::message_t>& frames) {
  if (frames.size() != kQuestionFrames)
    throw ProtocolError("a message of " + std::to_string(frames.size()) + " frames");
  const char* const key = zmq_msg_gets(frames[1].handle(), "User-Id");
  const std::string sender = key == nullptr ? "" : key;
  const auto worker = keys.name_of(sender);
  if (!worker) {
    ++*keys_refused.count;
    return {refusal_of_key(keys.standing(sender)), ""};
  }
  return desk.answer(*worker, decode_bulk_message(view(frames[1])), view(frames[2]));
}

void BulkDoor::Parts::note(uint64_t& count, const std::string& what) {
  if (std::has_single_bit(++count)) spdlog::warn("{} ({} since start)", what, count);
}

BulkDoor::BulkDoor(BulkDoorConfig config, BlobStore& blobs, ArtifactShelf& shelf, LogShelf& logs) {
  const auto parts = std::make_shared<Parts>(config, blobs, shelf, logs);
  endpoint_ = parts->endpoint;
  refusals_ = {parts->handshakes_refused, parts->keys_refused};
  port_ = std::stoi(endpoint_.substr(endpoint_.rfind(':') + 1));
  thread_.emplace("no bulk data is served until the coordinator is started again",
                  [parts](int stop_fd) { parts->serve(stop_fd); });
}

BulkDoor::~BulkDoor() = default;

}  // namespace ranktide
