#include "coordinator/edge/http_session.h"

#include <boost/asio/post.hpp>
#include <charconv>
#include <spdlog/spdlog.h>

#include "common/net/clock.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/client_version.h"
#include "coordinator/edge/metrics.h"

namespace ranktide {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

constexpr size_t kHeaderBytesMax = 16 << 10;
constexpr size_t kRequestBodyMax = 1 << 20;
constexpr std::chrono::seconds kRequestTime{10};
constexpr std::chrono::seconds kWriteTime{30};
constexpr std::chrono::seconds kAnswerTime{30};
constexpr std::chrono::seconds kLingerTime{2};
constexpr size_t kLingerBytesMax = 16 << 20;

std::string text_of(beast::string_view text) {
  return {text.data(), text.size()};
}

RequestHead head_of(const http::request<http::string_body>& request) {
  return {.method = text_of(request.method_string()),
          .host = text_of(request[http::field::host]),
          .origin = text_of(request[http::field::origin]),
          .fetch_site = text_of(request["Sec-Fetch-Site"]),
          .content_type = text_of(request[http::field::content_type]),
          .authorization = text_of(request[http::field::authorization]),
          .client = text_of(request[kClientHeader])};
}

std::optional<int64_t> number_of(const std::string& text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= 0 ? std::optional(out)
                                                                              : std::nullopt;
}

}  // namespace

HttpSession::HttpSession(asio::ip::tcp::socket socket, HttpService& service)
    : service_(service),
      stream_(std::move(socket)),
      deadline_(service.io),
      buffer_(kHeaderBytesMax + kRequestBodyMax) {
  ++service_.connections;
}

HttpSession::~HttpSession() {
  stop_waiting();
  --service_.connections;
  if (is_unanswered_) --service_.unanswered;
}

void HttpSession::read() {
  is_late_ = false;
  waits_ = service_.waiting.insert(service_.waiting.end(), this);
  parser_.emplace();
  parser_->header_limit(kHeaderBytesMax);
  parser_->body_limit(kRequestBodyMax);
  stream_.expires_never();  // the deadline is our own, so that a slow peer can be told
  deadline_.expires_after(kRequestTime);
  deadline_.async_wait([self = shared_from_this()](beast::error_code cancelled) {
    if (cancelled) return;
    self->is_late_ = true;
    self->stream_.cancel();
  });
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](beast::error_code error, size_t) { self->on_read(error); });
}

void HttpSession::stop_waiting() {
  if (waits_) service_.waiting.erase(*waits_);
  waits_.reset();
}

void HttpSession::give_way() {
  RT_CHECK(waits_);
  stop_waiting();
  stream_.close();
}

void HttpSession::on_read(beast::error_code error) {
  stop_waiting();
  deadline_.cancel();
  if (error) return refuse_unread(error);
  is_unanswered_ = true;
  ++service_.unanswered;
  try {
    answer();
  } catch (const QueryError& wrong) {
    write(failure(400, wrong.what()));
  }
}

// The peer may still be sending: it is told, and what it sends is taken until it stops.
void HttpSession::refuse_unread(beast::error_code error) {
  if (is_late_) {
    if (parser_->got_some()) write(failure(408, "the request took longer than ten seconds"), After::linger);
  } else if (error == http::error::header_limit) {
    write(failure(431, "the header has more than 16 KiB"), After::linger);
  } else if (error == http::error::body_limit) {
    write(failure(413, "the body has more than 1 MiB"), After::linger);
  } else if (error != http::error::end_of_stream && error != http::error::partial_message &&
             error.category() == http::make_error_code(http::error::bad_method).category()) {
    write(failure(400, "this is no HTTP request: " + error.message()), After::linger);
  }  // else the peer has gone: nobody is there to answer
}

void HttpSession::answer() {
  const RequestHead head = head_of(parser_->get());
  if (const auto foreign = refuse_foreign(service_.access.rules(), head)) return write(*foreign);
  const Target target = parse_target(text_of(parser_->get().target()));
  const Route route = route_of(head.method, target.path);
  Caller caller;
  if (route.scope) {
    service_.look_at_tokens();
    auto admitted = service_.access.admit(head, *route.scope, wall_clock_ms());
    if (const auto* refusal = std::get_if<ApiResponse>(&admitted)) return write(*refusal);
    caller = std::get<Caller>(std::move(admitted));
  }
  if (route.kind == RouteKind::command && route.command.is_submission())
    if (const auto other = refuse_submission_of(head.client, service_.config.version)) return write(*other);
  dispatch(route, target, caller);
}

void HttpSession::dispatch(const Route& route, const Target& target, const Caller& caller) {
  switch (route.kind) {
    case RouteKind::livez:
      return write(answer_livez(service_.mailbox, boot_clock_now()));
    case RouteKind::readyz:
      return write(answer_readyz(service_.mailbox, measure_room(service_.config.data_folder),
                                 service_.config.doors, boot_clock_now()));
    case RouteKind::metrics:
      return write(metrics());
    case RouteKind::events:
      return follow_events(target, caller);
    case RouteKind::read:
      return read_on_pool();
    case RouteKind::command:
      return command(route.command, caller);
    case RouteKind::blob:
      return blob_on_pool(route.blob, target);
    case RouteKind::nothing:
      return write(route.refusal);
  }
}

// The connection becomes a stream; this session ends.
void HttpSession::follow_events(const Target& target, const Caller& caller) {
  if (service_.feed.is_full())
    return write(failure(503, std::to_string(EventFeed::kStreamsMax) + " clients follow the events already"));
  std::string after = text_of(parser_->get()["Last-Event-ID"]);
  if (after.empty()) after = argument_of(target, "after", "");
  if (!after.empty() && !number_of(after)) return write(failure(400, "Last-Event-ID is a record's number"));
  service_.feed.add(std::move(stream_), number_of(after), caller.token);
}

void HttpSession::read_on_pool() {
  asio::post(service_.reads, [self = shared_from_this()]() mutable {
    const HttpServerConfig& config = self->service_.config;
    auto response =
        answer_read(config.data_folder, text_of(self->parser_->get().target()), config.version, kReadTime,
                    &self->service_.hasher, [&] { return self->service_.mailbox.live().progress; });
    auto& io = self->service_.io;
    asio::post(io, [self = std::move(self), response = std::move(response)] { self->write(response); });
  });
}

void HttpSession::blob_on_pool(const BlobRoute& route, const Target& target) {
  if (service_.config.blobs == nullptr) return write(failure(404, "this coordinator keeps no files"));
  asio::post(service_.reads, [self = shared_from_this(), route, target]() mutable {
    const auto answer = [&]() -> ApiResponse {
      try {
        return answer_blob(*self->service_.config.blobs, route, target, self->parser_->get().body());
      } catch (const std::exception& e) {
        return unforeseen(e);
      }
    };
    auto response = answer();
    auto& io = self->service_.io;
    asio::post(io, [self = std::move(self), response = std::move(response)] { self->write(response); });
  });
}

std::variant<UserRequest, ApiResponse> HttpSession::read_and_prepare(const CommandTarget& target,
                                                                     const Caller& caller) const {
  try {
    auto request = read_command(target, parser_->get().body(), caller);
    if (auto* asked = std::get_if<UserRequest>(&request))
      if (auto failed = prepare(*asked, service_.config.data_folder)) return *std::move(failed);
    return request;
  } catch (const std::exception& e) {
    return unforeseen(e);
  }
}

// The timer keeps the session until there is an answer; who has waited too long asks again, and what was asked
// is done all the same.
void HttpSession::command(const CommandTarget& target, const Caller& caller) {
  if (const auto refusal = refuse_command(target, caller, service_.mailbox.live())) return write(*refusal);
  spdlog::info("{} asks: POST {}", caller.name, text_of(parser_->get().target()));
  deadline_.expires_after(kAnswerTime);
  deadline_.async_wait([self = shared_from_this()](beast::error_code cancelled) {
    if (!cancelled) self->give_up_waiting();
  });
  asio::post(service_.tasks, [self = shared_from_this(), target, caller]() mutable {
    auto request = self->read_and_prepare(target, caller);
    auto& io = self->service_.io;
    asio::post(io, [self = std::move(self), request = std::move(request)]() mutable {
      if (auto* asked = std::get_if<UserRequest>(&request)) return self->ask_core(std::move(*asked));
      if (self->is_unanswered_) self->write(std::get<ApiResponse>(request));
    });
  });
}

// The answer finds the session through the gate, or not at all.
void HttpSession::ask_core(UserRequest request) {
  service_.mailbox.ask(std::move(request), [gate = service_.gate, weak = weak_from_this()](
                                               const std::variant<Answer, Unavailable>& heard) {
    gate->post([weak, response = response_of(heard)] {
      const auto self = weak.lock();
      if (self && self->is_unanswered_) self->write(response);
    });
  });
}

void HttpSession::give_up_waiting() {
  if (is_unanswered_)
    write(failure(504, "not decided within 30 seconds; ask again with the same request id"), After::close);
}

ApiResponse HttpSession::metrics() const {
  return {
      .type = "text/plain; version=0.0.4",
      .body = metrics_text({.version = service_.config.version,
                            .picture = service_.mailbox.live(),
                            .room = measure_room(service_.config.data_folder),
                            .http = {.refusals = service_.access.refusals(), .streams = service_.feed.size()},
                            .doors = service_.config.refusals,
                            .open_descriptors = count_open_descriptors(),
                            .now = boot_clock_now()})};
}

void HttpSession::write(const ApiResponse& response) {
  const bool is_kept = parser_->get().keep_alive() && !service_.is_closing;
  write(response, is_kept ? After::next : After::close);
}

void HttpSession::write(const ApiResponse& response, After after) {
  deadline_.cancel();
  if (is_unanswered_) --service_.unanswered;
  is_unanswered_ = false;
  response_ = {};
  response_.version(11);
  response_.result(static_cast<unsigned>(response.status));
  response_.set(http::field::content_type, response.type);
  response_.set(http::field::server, kServerName);
  response_.set(kApiHeader, kApiVersion);
  response_.set(http::field::cache_control, "no-store");
  if (response.retry_after_s > 0)
    response_.set(http::field::retry_after, std::to_string(response.retry_after_s));
  if (response.status == 401) response_.set(http::field::www_authenticate, "Bearer");
  response_.set("Content-Security-Policy", "default-src 'self'");
  response_.set("X-Content-Type-Options", "nosniff");
  response_.body() = response.body;
  response_.keep_alive(after == After::next);
  response_.prepare_payload();
  stream_.expires_after(kWriteTime);
  http::async_write(stream_, response_, [self = shared_from_this(), after](beast::error_code error, size_t) {
    if (!error) self->on_written(after);
  });
}

void HttpSession::on_written(After after) {
  if (after == After::next) return read();
  beast::error_code gone;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, gone);
  if (after == After::linger) {
    stream_.expires_after(kLingerTime);
    linger();
  }
}

// A connection that is closed with bytes unread is reset, and the peer may never see what it was told.
void HttpSession::linger() {
  stream_.async_read_some(asio::buffer(ignored_),
                          [self = shared_from_this()](beast::error_code error, size_t n) {
                            self->ignored_bytes_ += n;
                            if (!error && self->ignored_bytes_ < kLingerBytesMax) self->linger();
                          });
}

}  // namespace ranktide
