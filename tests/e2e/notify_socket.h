#pragma once
// What a service manager would hear: a datagram socket that NOTIFY_SOCKET names while this lives. For tests of
// programs that are started meanwhile.

#include <array>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ranktide::e2e {

class NotifySocket {
 public:
  explicit NotifySocket(const std::filesystem::path& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path) throw std::runtime_error(path.string() + ": too long");
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(socket_);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // Returns: what was said since the last call, with a blank behind each.
  std::string said() const {
    std::string out;
    std::array<char, 200> text{};
    for (ssize_t n = 0; (n = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT)) > 0;)
      out += std::string(text.data(), static_cast<size_t>(n)) + " ";
    return out;
  }

 private:
  int socket_;
};

}  // namespace ranktide::e2e
