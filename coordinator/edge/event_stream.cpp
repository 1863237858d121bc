#include "coordinator/edge/event_stream.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "coordinator/edge/event_feed.h"
#include "coordinator/edge/http_server.h"

namespace ranktide {
namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr std::chrono::seconds kEventWriteTime{10};
constexpr std::chrono::seconds kPingEvery{15};

std::string head() {
  return std::string("HTTP/1.1 200 OK\r\nServer: ") + kServerName + "\r\n" + kApiHeader + ": " + kApiVersion +
         "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
         "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nretry: 2000\n\n";
}

}  // namespace

EventStream::EventStream(beast::tcp_stream stream, EventFeed& feed, std::optional<int64_t> after,
                         std::string token)
    : stream_(std::move(stream)), feed_(feed), token_(std::move(token)), after_(after) {}

void EventStream::begin() {
  stream_.expires_never();
  listen();
  write(head());
}

void EventStream::close() {
  beast::error_code gone;
  stream_.socket().close(gone);
}

void EventStream::send(std::string changes, int64_t up_to) {
  after_ = up_to;
  write(std::move(changes));
}

void EventStream::send_position(int64_t newest) {
  const std::string record = std::to_string(newest);
  send("id: " + record + "\nevent: position\ndata: {\"record\":" + record + "}\n\n", newest);
}

void EventStream::ping_if_silent() {
  if (std::chrono::steady_clock::now() - said_ >= kPingEvery) write(": ping\n\n");
}

void EventStream::write(std::string text) {
  is_writing_ = true;
  out_ = std::move(text);
  said_ = std::chrono::steady_clock::now();
  stream_.expires_after(kEventWriteTime);  // of the write: the read that listens has begun before
  asio::async_write(stream_, asio::buffer(out_), [self = shared_from_this()](beast::error_code error, size_t) {
    self->is_writing_ = false;
    if (error)
      self->feed_.drop(*self);
    else
      self->feed_.serve(*self);
  });
}

// A browser says nothing more; what comes is its end.
void EventStream::listen() {
  stream_.async_read_some(asio::buffer(ignored_), [self = shared_from_this()](beast::error_code error, size_t) {
    if (error)
      self->feed_.drop(*self);
    else
      self->listen();
  });
}

}  // namespace ranktide
