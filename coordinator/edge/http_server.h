#pragma once
// The loopback HTTP server of a running coordinator: sockets, limits, checks; what it answers is api.h's. It
// never touches the turn, so a slow reader of results cannot hold up training. Limits: header 16 KiB, body
// refused beyond 1 MiB, 10 s to send a request, 64 connections; more are closed at once. Host must be a
// loopback name (a web page that resolves its own name to 127.0.0.1 gets 403), Origin likewise. Thread rule:
// constructor and destructor on one thread; requests are answered on the server's own.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace ranktide {

class HttpServer {
 public:
  // Serves the folder's results on 127.0.0.1 at a free port and writes the address to
  // <folder>/coordinator.http. Throws: std::runtime_error when no port can be had or the address cannot be
  // written.
  explicit HttpServer(std::filesystem::path data_folder);
  // Closes connections, removes the address.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What answers call themselves (header Server), so that a client can tell a coordinator from another program.
inline constexpr const char* kServerName = "ranktide";

// Returns: the file that holds "127.0.0.1:PORT" while a coordinator serves the folder.
std::filesystem::path http_address_file(const std::filesystem::path& data_folder);

}  // namespace ranktide
