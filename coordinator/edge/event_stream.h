#pragma once
// One browser that follows the events: its connection and its place in the journal. It writes what the feed
// gives it, one piece at a time, and asks for the next. Thread rule: the feed's.

#include <array>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ranktide {

class EventFeed;

class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  // token: its reader's, as Caller::token.
  EventStream(boost::beast::tcp_stream stream, EventFeed& feed, std::optional<int64_t> after,
              std::string token);

  // Says the head of the answer and listens for the peer's end.
  void begin();
  void close();

  // Returns: the last record that it has; nullopt while it waits to be told where the journal stands.
  std::optional<int64_t> after() const { return after_; }
  const std::string& token() const { return token_; }
  bool is_busy() const { return is_writing_ || is_awaiting_; }
  void await_changes() { is_awaiting_ = true; }
  void end_await() { is_awaiting_ = false; }

  // Sends changes up to that record. Requires: !is_busy().
  void send(std::string changes, int64_t up_to);
  // Tells where the journal stands, to one that named no place or a place that the journal does not have.
  void send_position(int64_t newest);
  // Sends a comment if nothing was sent for 15 s: proxies close silent connections. Requires: !is_busy().
  void ping_if_silent();

 private:
  void write(std::string text);
  void listen();

  boost::beast::tcp_stream stream_;
  EventFeed& feed_;
  const std::string token_;
  std::optional<int64_t> after_;
  bool is_writing_ = false;
  bool is_awaiting_ = false;  // the feed reads the journal for it
  std::string out_;
  std::chrono::steady_clock::time_point said_;
  std::array<char, 256> ignored_{};
};

}  // namespace ranktide
