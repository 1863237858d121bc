#include "tests/coordinator/http/conversation.h"

#include <arpa/inet.h>
#include <array>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace ranktide {
namespace {

using Clock = std::chrono::steady_clock;

// Appends what has come. Returns: false when the peer has closed or the time is up.
bool hear_some(int socket, Clock::time_point end, std::string& heard) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  pollfd item{.fd = socket, .events = POLLIN, .revents = 0};
  if (left <= 0 || ::poll(&item, 1, static_cast<int>(left)) != 1) return false;
  std::array<char, 65536> bytes{};
  const ssize_t n = ::recv(socket, bytes.data(), bytes.size(), 0);
  if (n > 0) heard.append(bytes.data(), static_cast<size_t>(n));
  return n > 0;
}

Told parse(const std::string& answer) {
  Told out;
  if (answer.rfind("HTTP/1.1 ", 0) != 0) return out;
  out.status = std::atoi(answer.c_str() + 9);
  const size_t end = answer.find("\r\n\r\n");
  out.head = answer.substr(0, end);
  out.body = end == std::string::npos ? "" : answer.substr(end + 4);
  return out;
}

std::string with_host(const std::string& headers) {
  return (headers.find("Host:") == std::string::npos ? "Host: 127.0.0.1\r\n" : "") + headers;
}

}  // namespace

Conversation::Conversation(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
}

Conversation::~Conversation() {
  ::close(socket_);
}

void Conversation::say(const std::string& bytes) const {
  for (size_t said = 0; said < bytes.size();) {
    const ssize_t n = ::send(socket_, bytes.data() + said, bytes.size() - said, MSG_NOSIGNAL);
    if (n <= 0) return;
    said += static_cast<size_t>(n);
  }
}

std::string Conversation::hear_all(std::chrono::seconds limit) const {
  std::string heard;
  const auto end = Clock::now() + limit;
  while (hear_some(socket_, end, heard)) {
  }
  return heard;
}

std::string Conversation::hear_until(const std::string& text, std::chrono::seconds limit) const {
  std::string heard;
  const auto end = Clock::now() + limit;
  while (heard.find(text) == std::string::npos && hear_some(socket_, end, heard)) {
  }
  return heard;
}

Told get_from(uint16_t port, const std::string& target, const std::string& headers) {
  const Conversation talk(port);
  talk.say("GET " + target + " HTTP/1.1\r\n" + with_host(headers) + "Connection: close\r\n\r\n");
  return parse(talk.hear_all());
}

namespace {

Told send_to(uint16_t port, const std::string& method, const std::string& target, const std::string& body,
             const std::string& headers) {
  const Conversation talk(port);
  talk.say(method + " " + target + " HTTP/1.1\r\n" + with_host(headers) +
           "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return parse(talk.hear_all());
}

}  // namespace

Told put_to(uint16_t port, const std::string& target, const std::string& body, const std::string& headers) {
  return send_to(port, "PUT", target, body, headers);
}

Told post_to(uint16_t port, const std::string& target, const std::string& body, const std::string& headers) {
  return send_to(port, "POST", target, body, headers);
}

}  // namespace ranktide
