#include "coordinator/edge/http_server.h"

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <optional>
#include <thread>

#include "coordinator/edge/api.h"

namespace ranktide {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace fs = std::filesystem;
using Tcp = asio::ip::tcp;

namespace {

constexpr size_t kHeaderBytesMax = 16 << 10;
constexpr size_t kBodyBytesMax = 1 << 20;
constexpr int kConnectionsMax = 64;
constexpr std::chrono::seconds kRequestTime{10};

bool is_loopback_name(std::string_view host) {
  for (const std::string_view name : {"127.0.0.1", "localhost", "[::1]"})
    if (host == name || (host.starts_with(name) && host[name.size()] == ':')) return true;
  return false;
}

bool comes_from_here(const http::request<http::string_body>& request) {
  const auto host = request[http::field::host];
  if (!is_loopback_name({host.data(), host.size()})) return false;
  const auto origin = request[http::field::origin];
  if (origin.empty()) return true;
  std::string_view rest{origin.data(), origin.size()};
  return rest.starts_with("http://") && is_loopback_name(rest.substr(7));
}

// One connection: reads a request, answers, and reads the next until the peer or the clock ends it.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, fs::path data_folder, std::shared_ptr<std::atomic<int>> count)
      : stream_(std::move(socket)), data_folder_(std::move(data_folder)), count_(std::move(count)) {
    ++*count_;
  }
  ~Session() { --*count_; }

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(kBodyBytesMax);
    stream_.expires_after(kRequestTime);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t) { self->on_read(error); });
  }

 private:
  void on_read(beast::error_code error) {
    if (error == http::error::header_limit)
      return write({.status = 431, .body = R"({"error":"header too large"})"}, false);
    if (error == http::error::body_limit)
      return write({.status = 413, .body = R"({"error":"body too large"})"}, false);
    if (error) return;  // the peer has gone or was too slow: nothing to answer
    const auto& request = parser_->get();
    const std::string method{request.method_string()};
    const std::string target{request.target()};
    if (!comes_from_here(request))
      return write({.status = 403, .body = R"({"error":"Host and Origin must be a loopback name"})"}, false);
    write(answer_request(data_folder_, method, target), request.keep_alive());
  }

  void write(const ApiResponse& answer, bool keep_alive) {
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(answer.status));
    response_.set(http::field::content_type, answer.type);
    response_.set(http::field::server, kServerName);
    response_.set("Content-Security-Policy", "default-src 'self'");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.body() = answer.body;
    response_.keep_alive(keep_alive);
    response_.prepare_payload();
    stream_.expires_after(kRequestTime);
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep_alive](beast::error_code error, size_t) {
                        if (!error && keep_alive) self->read();
                      });
  }

  beast::tcp_stream stream_;
  fs::path data_folder_;
  std::shared_ptr<std::atomic<int>> count_;
  beast::flat_buffer buffer_{kHeaderBytesMax + kBodyBytesMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

}  // namespace

struct HttpServer::Parts {
  explicit Parts(fs::path folder)
      : data_folder(std::move(folder)), acceptor(io, {asio::ip::address_v4::loopback(), 0}) {}

  void accept() {
    acceptor.async_accept([this](beast::error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && *connections < kConnectionsMax)
        std::make_shared<Session>(std::move(socket), data_folder, connections)->read();
      accept();
    });
  }

  fs::path data_folder;
  asio::io_context io{1};
  Tcp::acceptor acceptor;
  std::shared_ptr<std::atomic<int>> connections = std::make_shared<std::atomic<int>>(0);
  std::thread thread;
};

HttpServer::HttpServer(fs::path data_folder) : parts_(std::make_unique<Parts>(std::move(data_folder))) {
  const fs::path file = http_address_file(parts_->data_folder);
  const fs::path draft = file.string() + ".draft";
  std::ofstream out(draft);
  out << "127.0.0.1:" << port() << "\n";
  out.close();
  if (!out)
    throw std::runtime_error("cannot write " + file.string() +
                             "; is the data folder writable and the disk not full?");
  fs::rename(draft, file);
  parts_->accept();
  parts_->thread = std::thread([parts = parts_.get()] { parts->io.run(); });
}

HttpServer::~HttpServer() {
  std::error_code gone;  // a later coordinator writes it anew anyway
  fs::remove(http_address_file(parts_->data_folder), gone);
  parts_->io.stop();
  parts_->thread.join();
}

uint16_t HttpServer::port() const {
  return parts_->acceptor.local_endpoint().port();
}

fs::path http_address_file(const fs::path& data_folder) {
  return data_folder / "coordinator.http";
}

}  // namespace ranktide
