#include "coordinator/edge/enrol_door.h"

#include <array>
#include <memory>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "common/net/socket_options.h"
#include "coordinator/edge/enrol_desk.h"
#include "coordinator/edge/frames.h"
#include "coordinator/edge/server_socket.h"
#include "coordinator/edge/zap.h"

namespace ranktide {
namespace {

constexpr size_t kRequestFrames = 2;  // the connection, and one frame
constexpr size_t kEachPerWake = 100;  // of either socket, before the other one is looked at
constexpr int64_t kFrameBytesMax = kEnrolFrameBytesMax + kCurveOverheadBytes;

}  // namespace

struct EnrolDoor::Parts {
  explicit Parts(const EnrolDoorConfig& config);

  void serve(int stop_fd);
  void answer_handshakes();
  void answer_requests();

  EnrolDesk desk;
  zmq::context_t context{1};
  zmq::socket_t zap{context, zmq::socket_type::rep};
  zmq::socket_t router{context, zmq::socket_type::router};
  std::string endpoint;
};

EnrolDoor::Parts::Parts(const EnrolDoorConfig& config) : desk(config.keys_folder) {
  const KeyPair keys = load_or_make_key_pair(config.keys_folder, "coordinator");
  set_option(zap.handle(), ZMQ_LINGER, 0, "LINGER");
  zap.bind("inproc://zeromq.zap.01");
  set_common_options(router.handle());
  router.set(zmq::sockopt::maxmsgsize, kFrameBytesMax);  // whoever says more is cut
  set_option(router.handle(), ZMQ_SNDHWM, 4, "SNDHWM");
  set_option(router.handle(), ZMQ_RCVHWM, 4, "RCVHWM");  // per connection: a request waits for its answer
  secure_server(router, keys.secret_key, kEnrolZapDomain);
  endpoint = bind_server(router, config.endpoint);
}

void EnrolDoor::Parts::serve(int stop_fd) {
  for (;;) {
    std::array<zmq_pollitem_t, 3> items{{{router.handle(), -1, ZMQ_POLLIN, 0},
                                         {zap.handle(), -1, ZMQ_POLLIN, 0},
                                         {nullptr, stop_fd, ZMQ_POLLIN, 0}}};
    zmq_poll(items.data(), static_cast<int>(items.size()), -1);
    if (items[2].revents != 0) return;
    answer_handshakes();
    answer_requests();
  }
}

void EnrolDoor::Parts::answer_handshakes() {
  for (size_t i = 0; i < kEachPerWake; ++i) {
    const std::vector<std::string> request = receive_texts(zap, kZapFramesMax);
    if (request.empty()) return;
    const ZapAnswer answer = answer_enrol_zap(request);
    send_frames(zap, {answer.frames.begin(), answer.frames.end()});
  }
}

void EnrolDoor::Parts::answer_requests() {
  for (size_t i = 0; i < kEachPerWake; ++i) {
    std::vector<zmq::message_t> frames = receive_frames(router, kRequestFrames);
    if (frames.empty()) return;
    if (frames.size() != kRequestFrames) continue;
    const char* const key = zmq_msg_gets(frames[1].handle(), "User-Id");
    if (key == nullptr || !is_key_text(key)) continue;
    const auto answer = desk.answer(key, view(frames[1]), boot_clock_now(), wall_clock_ms());
    if (answer) send_frames(router, {view(frames[0]), encode(*answer)});
  }
}

EnrolDoor::EnrolDoor(const EnrolDoorConfig& config) {
  const auto parts = std::make_shared<Parts>(config);
  endpoint_ = parts->endpoint;
  refusals_ = parts->desk.refusals();
  thread_.emplace("nobody can join any more until the coordinator is started again",
                  [parts](int stop_fd) { parts->serve(stop_fd); });
}

EnrolDoor::~EnrolDoor() = default;

}  // namespace ranktide
