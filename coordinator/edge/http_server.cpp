#include "coordinator/edge/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <fstream>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <thread>

#include "coordinator/edge/http_service.h"
#include "coordinator/edge/http_session.h"

namespace ranktide {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace fs = std::filesystem;
using Tcp = asio::ip::tcp;

namespace {

constexpr int kConnectionsMax = 64;
constexpr int kRefusalsMax = 16;  // under way at a time; what comes beyond them is closed unanswered
constexpr std::chrono::milliseconds kNoDescriptorsPause{100};
constexpr std::chrono::seconds kLastAnswersMax{1};
constexpr std::chrono::milliseconds kLastAnswersLook{5};
constexpr std::chrono::seconds kTokensLook{2};

Tcp::acceptor listen(asio::io_context& io, const HttpAddress& address) {
  try {
    return {io, Tcp::endpoint(asio::ip::make_address(address.host), address.port)};
  } catch (const boost::system::system_error& error) {
    throw HttpServerError(address.text() + ": cannot listen there: " + error.code().message() +
                          "; choose another address with --http HOST:PORT, or port 0 for any free one");
  }
}

// Clients of this machine cannot connect to "every address".
HttpAddress near_address(HttpAddress address) {
  if (address.is_any()) address.host = address.host.find(':') == std::string::npos ? "127.0.0.1" : "::1";
  return address;
}

void write_address(const fs::path& file, const HttpAddress& address) {
  const fs::path draft = file.string() + ".draft";
  std::ofstream out(draft);
  out << near_address(address).text() << "\n";
  out.close();
  if (!out)
    throw std::runtime_error("cannot write " + file.string() +
                             "; is the data folder writable and the disk not full?");
  fs::rename(draft, file);
}

}  // namespace

struct HttpServer::Parts {
  Parts(HttpServerConfig config, Mailbox& mailbox)
      : service(std::move(config), mailbox),
        acceptor(listen(service.io, service.config.address)),
        address{.host = service.config.address.host, .port = acceptor.local_endpoint().port()} {}

  void accept();
  void accept_later();
  void admit(Tcp::socket socket);
  void watch_tokens();
  void serve();
  void stop_accepting();
  void leave_after(std::chrono::steady_clock::time_point limit);

  HttpService service;
  Tcp::acceptor acceptor;
  const HttpAddress address;  // with the real port
  asio::steady_timer timer{service.io};
  asio::steady_timer pause{service.io};
  std::thread thread;
};

void HttpServer::Parts::accept() {
  acceptor.async_accept([this](beast::error_code error, Tcp::socket socket) {
    if (error == asio::error::operation_aborted || service.is_closing) return;
    if (error) return accept_later();
    admit(std::move(socket));
    accept();
  });
}

// Out of descriptors, accept would fail again at once, and for ever.
void HttpServer::Parts::accept_later() {
  pause.expires_after(kNoDescriptorsPause);
  pause.async_wait([this](beast::error_code cancelled) {
    if (!cancelled && !service.is_closing) accept();
  });
}

// Whoever connects and says nothing must not keep out those who ask.
void HttpServer::Parts::admit(Tcp::socket socket) {
  if (service.connections >= kConnectionsMax + kRefusalsMax) return;
  const bool is_full = service.connections >= kConnectionsMax;
  const auto session = std::make_shared<HttpSession>(std::move(socket), service);
  if (is_full && service.waiting.empty())
    return session->refuse(failure(503, "this coordinator answers as many clients as it can; ask again"));
  if (is_full) service.waiting.front()->give_way();
  session->read();
}

void HttpServer::Parts::watch_tokens() {
  timer.expires_after(kTokensLook);
  timer.async_wait([this](beast::error_code cancelled) {
    if (cancelled) return;
    service.look_at_tokens();
    service.end_streams_of_ended_tokens();
    watch_tokens();
  });
}

// A request that breaks a rule of ours must not end the others.
void HttpServer::Parts::serve() {
  sigset_t set;  // signals are the main thread's
  sigfillset(&set);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  for (;;) try {
      service.io.run();
      return;
    } catch (const std::exception& error) {
      spdlog::error("an HTTP request was dropped: {}", error.what());
    }
}

void HttpServer::Parts::stop_accepting() {
  service.is_closing = true;
  beast::error_code closed;
  acceptor.close(closed);
  service.feed.close();
}

void HttpServer::Parts::leave_after(std::chrono::steady_clock::time_point limit) {
  if (service.unanswered == 0 || std::chrono::steady_clock::now() > limit) return service.io.stop();
  timer.expires_after(kLastAnswersLook);
  timer.async_wait([this, limit](beast::error_code) { leave_after(limit); });
}

HttpServer::HttpServer(HttpServerConfig config, Mailbox& mailbox)
    : parts_(std::make_unique<Parts>(std::move(config), mailbox)) {
  write_address(http_address_file(parts_->service.config.data_folder), address());
  parts_->service.look_at_tokens();
  parts_->accept();
  parts_->watch_tokens();
  parts_->thread = std::thread([parts = parts_.get()] { parts->serve(); });
}

HttpServer::~HttpServer() {
  std::error_code gone;  // a later coordinator writes it anew anyway
  fs::remove(http_address_file(parts_->service.config.data_folder), gone);
  asio::post(parts_->service.io, [parts = parts_.get()] {
    parts->stop_accepting();
    parts->leave_after(std::chrono::steady_clock::now() + kLastAnswersMax);
  });
  parts_->thread.join();
  parts_->service.gate->close();
  for (auto* pool : {&parts_->service.reads, &parts_->service.tasks, &parts_->service.changes}) {
    pool->stop();  // what has not begun to read is not answered any more
    pool->join();
  }
}

void HttpServer::stop_accepting() {
  asio::post(parts_->service.io, [parts = parts_.get()] { parts->stop_accepting(); });
}

HttpAddress HttpServer::address() const {
  return parts_->address;
}

fs::path http_address_file(const fs::path& data_folder) {
  return data_folder / "coordinator.http";
}

}  // namespace ranktide
