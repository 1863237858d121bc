#pragma once
// The one line that lets a worker join: where the coordinator listens, its public key and a token. Printable,
// no blanks, nothing that a shell would expand, and a checksum at its end, so that a line that was cut or
// mistyped is refused before anything is dialled. Not the right to join: that is in invites.h.
//   ranktide-join/1/<host>/<link port>/<enrolment port>/<server key, hex>/<token, hex>/<checksum>
// Pure; any thread.

#include <stdexcept>
#include <string>
#include <string_view>

namespace ranktide {

struct JoinLineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct JoinLine {
  std::string host;  // a name or an address; an IPv6 address without brackets
  int link_port = 0;
  int enrol_port = 0;
  std::string server_key;  // Z85
  std::string token;       // 64 hex digits, secret
};

// Returns: why workers cannot be told this host: neither a name nor a numeric address without brackets; empty
// when they can.
std::string fault_of_join_host(const std::string& host);

// Requires: a host without a fault, sound ports, key and token.
std::string to_text(const JoinLine& line);
// Blanks around it are ignored. Throws: JoinLineError saying what is wrong with it; never repeats the token.
JoinLine parse_join_line(std::string_view text);

// Returns: "tcp://host:port", with brackets where the host is an IPv6 address.
std::string tcp_endpoint(const std::string& host, int port);

}  // namespace ranktide
