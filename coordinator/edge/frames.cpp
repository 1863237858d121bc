#include "coordinator/edge/frames.h"

#include <utility>

namespace ranktide {

std::vector<zmq::message_t> receive_frames(zmq::socket_t& socket, size_t frames_max) {
  std::vector<zmq::message_t> frames;
  zmq::message_t frame;
  if (!socket.recv(frame, zmq::recv_flags::dontwait)) return frames;
  bool more = true;
  while (more) {
    more = frame.more();
    if (frames.size() <= frames_max) frames.push_back(std::move(frame));
    if (more && !socket.recv(frame, zmq::recv_flags::dontwait)) break;
  }
  return frames;
}

std::vector<std::string> receive_texts(zmq::socket_t& socket, size_t frames_max) {
  std::vector<std::string> texts;
  for (const zmq::message_t& frame : receive_frames(socket, frames_max)) texts.push_back(frame.to_string());
  return texts;
}

bool send_frames(zmq::socket_t& socket, const std::vector<std::string_view>& frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (zmq_send(socket.handle(), frames[i].data(), frames[i].size(), more | ZMQ_DONTWAIT) < 0) return false;
  }
  return true;
}

}  // namespace ranktide
