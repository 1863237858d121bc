#pragma once
// The bytes of a ZeroMQ frame. It names zmq types and so is for the socket files of this folder only.

#include <string_view>
#include <zmq.hpp>

namespace ranktide {

// Outlives: the frame must outlive the view.
inline std::string_view view(const zmq::message_t& frame) {
  return {frame.data<char>(), frame.size()};
}

}  // namespace ranktide
