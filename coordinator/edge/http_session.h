#pragma once
// One connection: reads a request, checks it, has it answered and reads the next, until the peer, a limit or
// the clock ends it. What is answered is api*.h's and event_feed.h's. Thread rule: the service's io_context; a
// session lives as long as something is under way on it.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <variant>

#include "coordinator/edge/http_routes.h"
#include "coordinator/edge/http_service.h"

namespace ranktide {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // Outlives: the service must outlive its io_context's handlers, and so every session.
  HttpSession(boost::asio::ip::tcp::socket socket, HttpService& service);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void read();
  // Answers what was not read, and closes: for connections that are too many.
  void refuse(const ApiResponse& response) { write(response, After::linger); }
  // Closes a connection whose peer has not sent a request. Requires: it is among the service's waiting ones.
  void give_way();

 private:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  enum class After { next, close, linger };  // what follows the answer

  void on_read(boost::beast::error_code error);
  void stop_waiting();
  void refuse_unread(boost::beast::error_code error);
  void answer();
  void dispatch(const Route& route, const Target& target, const Caller& caller);
  void follow_events(const Target& target, const Caller& caller);
  void read_on_pool();
  void blob_on_pool(const BlobRoute& route, const Target& target);
  void command(const CommandTarget& target, const Caller& caller);
  // Any thread of the pool, while the session waits.
  std::variant<UserRequest, ApiResponse> read_and_prepare(const CommandTarget& target,
                                                          const Caller& caller) const;
  void ask_core(UserRequest request);
  void give_up_waiting();
  void write(const ApiResponse& response);
  void write(const ApiResponse& response, After after);
  void on_written(After after);
  void linger();
  ApiResponse metrics() const;

  HttpService& service_;
  boost::beast::tcp_stream stream_;
  boost::asio::steady_timer deadline_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::optional<std::list<HttpSession*>::iterator> waits_;  // its place among the waiting ones
  bool is_late_ = false;                                    // the deadline of reading has passed
  bool is_unanswered_ = false;  // a request was read and its answer has not been written
  std::array<char, 4096> ignored_{};
  size_t ignored_bytes_ = 0;
};

}  // namespace ranktide
