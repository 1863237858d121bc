#pragma once
// Multipart messages in and out of a ZeroMQ socket, never waiting. It names zmq types and so is for the socket
// files of this folder only. Thread rule: the socket's thread.

#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

namespace ranktide {

inline std::string_view view(const zmq::message_t& frame) {
  return {frame.data<char>(), frame.size()};
}

// Returns: all frames of the next message, cut after frames_max + 1 of them; empty when none is there.
std::vector<zmq::message_t> receive_frames(zmq::socket_t& socket, size_t frames_max);

// The same as texts, which outlive the messages.
std::vector<std::string> receive_texts(zmq::socket_t& socket, size_t frames_max);

// Returns: whether they were taken: of a ROUTER with ROUTER_MANDATORY the first frame says whether the peer is
// there and has room; once it is taken, the others are.
bool send_frames(zmq::socket_t& socket, const std::vector<std::string_view>& frames);

}  // namespace ranktide
