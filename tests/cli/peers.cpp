#include "tests/cli/peers.h"

#include <array>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace {

sockaddr_in loopback() {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

sockaddr_in address_of(int socket) {
  sockaddr_in out{};
  socklen_t size = sizeof out;
  RT_CHECK(::getsockname(socket, reinterpret_cast<sockaddr*>(&out), &size) == 0);
  return out;
}

void answer_one(int listener, const std::vector<std::string>& pieces, std::chrono::milliseconds pause) {
  const int peer = ::accept(listener, nullptr, nullptr);
  std::array<char, 4096> request{};
  if (::recv(peer, request.data(), request.size(), 0) > 0)
    for (const std::string& piece : pieces) {
      std::this_thread::sleep_for(pause);
      if (::send(peer, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;  // it has given up
    }
  ::close(peer);
}

}  // namespace

SilentPeer::SilentPeer(int queue) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in any = loopback();
  RT_CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  RT_CHECK(::listen(listener_, queue) == 0);
}

SilentPeer::~SilentPeer() {
  for (const int socket : queued_) ::close(socket);
  ::close(listener_);
}

Url SilentPeer::url() const {
  return {.host = "127.0.0.1", .port = std::to_string(ntohs(address_of(listener_).sin_port))};
}

void SilentPeer::fill_queue() {
  const sockaddr_in here = address_of(listener_);
  for (int i = 0; i < 8; ++i) {
    queued_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(queued_.back(), reinterpret_cast<const sockaddr*>(&here), sizeof here);
  }
}

SlowPeer::SlowPeer(std::vector<std::string> pieces, std::chrono::milliseconds pause)
    : thread_([listener = peer_.listener(), pieces = std::move(pieces), pause] {
        answer_one(listener, pieces, pause);
      }) {}

}  // namespace ranktide::cli
