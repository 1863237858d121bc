// What every request of this program carries, as a peer reads it.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "cli/http_client.h"
#include "cli/version.h"
#include "coordinator/edge/client_version.h"

namespace ranktide::cli {
namespace {

// Takes one connection, hears its head and closes.
class OneListener {
 public:
  OneListener() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this] { hear(); });
  }
  ~OneListener() { ::close(listener_); }

  std::string port() const {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    return std::to_string(ntohs(at.sin_port));
  }
  const std::string& heard() {
    thread_.join();
    return heard_;
  }

 private:
  void hear() {
    const int talk = ::accept(listener_, nullptr, nullptr);
    std::array<char, 4096> bytes{};
    while (heard_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(talk, bytes.data(), bytes.size(), 0);
      if (n <= 0) break;
      heard_.append(bytes.data(), static_cast<size_t>(n));
    }
    ::close(talk);
  }

  const int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::string heard_;
  std::thread thread_;
};

TEST(ClientHeader, EveryRequestNamesTheProgramAndItsWireVersion) {
  OneListener listener;
  const HttpClient client({.host = "127.0.0.1", .port = listener.port()});
  EXPECT_FALSE(client.post("/api/v1/sweeps", Json::object()));
  EXPECT_THAT(listener.heard(), testing::HasSubstr("\r\nRanktide-Client: " + std::string(kVersion) +
                                                   "; wire=" + std::to_string(kSubmitWireVersion) + "\r\n"));
}

}  // namespace
}  // namespace ranktide::cli
