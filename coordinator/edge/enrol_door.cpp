#include "coordinator/edge/enrol_door.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/net/clock.h"
#include "common/net/keys.h"
#include "common/net/socket_options.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/enrol_desk.h"
#include "coordinator/edge/frames.h"
#include "coordinator/edge/server_socket.h"
#include "coordinator/edge/zap.h"

namespace ranktide {
namespace {

constexpr size_t kFramesMax = 2;  // the connection, and one frame
constexpr size_t kZapFramesMax = 16;
constexpr size_t kPerWake = 100;  // of either socket, before the other one is looked at
constexpr int64_t kFrameBytesMax = kEnrolFrameBytesMax + kCurveOverheadBytes;

int open_stop() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "no descriptor to stop the enrolment by");
  return fd;
}

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
  for (size_t i = 0; i < kPerWake; ++i) {
    std::vector<std::string> request;
    for (const zmq::message_t& frame : receive_frames(zap, kZapFramesMax)) request.push_back(frame.to_string());
    if (request.empty()) return;
    const ZapAnswer answer = answer_enrol_zap(request);
    send_frames(zap, {answer.frames.begin(), answer.frames.end()});
  }
}

void EnrolDoor::Parts::answer_requests() {
  for (size_t i = 0; i < kPerWake; ++i) {
    std::vector<zmq::message_t> frames = receive_frames(router, kFramesMax);
    if (frames.empty()) return;
    if (frames.size() != kFramesMax) continue;
    const char* const key = zmq_msg_gets(frames[1].handle(), "User-Id");
    if (key == nullptr || !is_key_text(key)) continue;
    const auto answer = desk.answer(key, view(frames[1]), boot_clock_now(), wall_clock_ms());
    if (answer) send_frames(router, {view(frames[0]), encode(*answer)});
  }
}

EnrolDoor::EnrolDoor(const EnrolDoorConfig& config) {
  auto parts = std::make_unique<Parts>(config);
  endpoint_ = parts->endpoint;
  stop_fd_ = open_stop();
  thread_ = std::thread([stop_fd = stop_fd_, parts = std::move(parts)] {
    sigset_t set;  // signals are the main thread's
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    try {
      parts->serve(stop_fd);
    } catch (const std::exception& error) {  // what runs goes on; only joining ends
      spdlog::critical("nobody can join any more until the coordinator is started again: {}", error.what());
    }
  });
}

EnrolDoor::~EnrolDoor() {
  const uint64_t one = 1;
  RT_CHECK(::write(stop_fd_, &one, sizeof one) == sizeof one);
  thread_.join();
  ::close(stop_fd_);
}

}  // namespace ranktide
