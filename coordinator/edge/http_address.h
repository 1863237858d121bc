#pragma once
// Where a server listens or a client connects: HOST:PORT as text and back. Names are not resolved. Pure.

#include <cstdint>
#include <string>

namespace ranktide {

struct HttpAddress {
  std::string host = "127.0.0.1";  // a numeric address, without brackets
  uint16_t port = 0;               // 0: any free one
  bool is_loopback() const;
  bool is_any() const;  // every address of the machine
  std::string text() const;
};

// Throws: std::invalid_argument for what is not HOST:PORT or [IPv6]:PORT with a numeric host or "localhost".
HttpAddress parse_http_address(const std::string& text);

// Returns: the host of "host:port" or "[v6]:port", in lower case and without brackets.
std::string host_of(const std::string& authority);

// Returns: whether the text is an IPv4 or IPv6 address.
bool is_numeric_host(const std::string& host);

}  // namespace ranktide
