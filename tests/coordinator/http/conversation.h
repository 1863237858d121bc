#pragma once
// HTTP by hand, for tests of what a server does with good and bad bytes.

#include <chrono>
#include <cstdint>
#include <string>

namespace ranktide {

// One connection to 127.0.0.1. What takes longer than its limit is an empty or shorter answer.
class Conversation {
 public:
  explicit Conversation(uint16_t port);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // A server that refuses early may not take everything.
  void say(const std::string& bytes) const;
  // Returns: everything until the peer closes.
  std::string hear_all(std::chrono::seconds limit = std::chrono::seconds{20}) const;
  // Returns: what came until it held `text`.
  std::string hear_until(const std::string& text, std::chrono::seconds limit = std::chrono::seconds{120}) const;

 private:
  int socket_ = -1;
};

struct Told {
  int status = 0;  // 0: no answer
  std::string head;
  std::string body;
};

// Headers are whole lines with their \r\n; Host is added where they name none.
Told get_from(uint16_t port, const std::string& target, const std::string& headers = "");
Told put_to(uint16_t port, const std::string& target, const std::string& body, const std::string& headers = "");
Told post_to(uint16_t port, const std::string& target, const std::string& body,
             const std::string& headers = "Content-Type: application/json\r\n");

}  // namespace ranktide
