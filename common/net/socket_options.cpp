#include "common/net/socket_options.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <zmq.h>

#include "common/vocabulary/protocol.h"

namespace ranktide {
namespace {

void set(void* socket, int option, const void* value, size_t bytes, const char* what) {
  if (zmq_setsockopt(socket, option, value, bytes) != 0)
    throw std::runtime_error(std::string("libzmq refuses the socket option ") + what + ": " +
                             zmq_strerror(zmq_errno()));
}

}  // namespace

void set_option(void* socket, int option, int value, const char* what) {
  set(socket, option, &value, sizeof value, what);
}

void set_option(void* socket, int option, const char* value, const char* what) {
  set(socket, option, value, std::strlen(value), what);
}

void set_common_options(void* socket) {
  const auto frame_bytes_max = static_cast<int64_t>(kBodyBytesMax + kCurveOverheadBytes);
  set(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max, "MAXMSGSIZE");
  // ZMTP heartbeats find a cut cable from both sides; keepalive alone leaves the client in the dark.
  set_option(socket, ZMQ_HEARTBEAT_IVL, 5000, "HEARTBEAT_IVL");
  set_option(socket, ZMQ_HEARTBEAT_TIMEOUT, 15000, "HEARTBEAT_TIMEOUT");
  set_option(socket, ZMQ_HEARTBEAT_TTL, 15000, "HEARTBEAT_TTL");
  set_option(socket, ZMQ_TCP_KEEPALIVE, 1, "TCP_KEEPALIVE");
  set_option(socket, ZMQ_TCP_KEEPALIVE_IDLE, 60, "TCP_KEEPALIVE_IDLE");
  set_option(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10, "TCP_KEEPALIVE_INTVL");
  set_option(socket, ZMQ_TCP_KEEPALIVE_CNT, 3, "TCP_KEEPALIVE_CNT");
  set_option(socket, ZMQ_TCP_MAXRT, 20000, "TCP_MAXRT");
  set_option(socket, ZMQ_HANDSHAKE_IVL, 10000, "HANDSHAKE_IVL");
}

}  // namespace ranktide
