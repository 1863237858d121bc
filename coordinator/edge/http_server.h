#pragma once
// The HTTP server of a running coordinator: where it listens and how it ends. What it answers is api*.h's, who
// may ask http_access.h's. It never waits for the turn, and reads results on threads of its own, so that a slow
// reader cannot hold up training. Limits: header 16 KiB, body 1 MiB, 10 s to send a request, 30 s for an
// answer, 64 connections (for one more the one closes that has waited longest without a request; where all are
// busy it is told 503), 200 clients of the event stream. Thread rule: constructor, methods and destructor on
// one thread.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/edge/http_address.h"
#include "coordinator/edge/refusal_counts.h"
#include "coordinator/edge/serving_thread.h"

namespace ranktide {

class BlobStore;
class Mailbox;

struct HttpServerConfig {
  std::filesystem::path data_folder;
  HttpAddress address{};             // where to listen; 127.0.0.1 at a free port
  std::vector<std::string> names{};  // that clients reach it by, besides the address
  bool is_behind_tls_proxy =
      false;              // then everybody comes from the proxy, and a token is needed on loopback too
  std::string version{};  // for /metrics
  std::vector<ServiceSign> doors{};  // for workers, without which /readyz says no
  RefusalCounts refusals{};          // at those doors, for /metrics
  BlobStore* blobs = nullptr;        // where files go; must outlive the server; null: none are taken
};

// What the server cannot do where it was told to listen: the port is taken, or the address is not ours.
struct HttpServerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class HttpServer {
 public:
  // Listens, and writes the address to <folder>/coordinator.http. Outlives: the mailbox must outlive the
  // server. Throws: HttpServerError; std::runtime_error when the address cannot be written; KeyError for a file
  // of tokens that others can read or that is not understood.
  HttpServer(HttpServerConfig config, Mailbox& mailbox);
  // Lets answers that are under way leave, for a second; closes connections, removes the address.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Takes no new connections from now on, and ends the event streams.
  void stop_accepting();

  // Returns: where it listens, with the real port.
  HttpAddress address() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What answers call themselves (header Server), so that a client can tell a coordinator from another program;
// and a header of our own, because proxies such as nginx and Envoy put their name in Server.
inline constexpr const char* kServerName = "ranktide";
inline constexpr const char* kApiHeader = "Ranktide-Api";
inline constexpr const char* kApiVersion = "1";

// Returns: the file that holds "127.0.0.1:PORT", where clients of this machine connect, while a coordinator
// serves the folder.
std::filesystem::path http_address_file(const std::filesystem::path& data_folder);

}  // namespace ranktide
