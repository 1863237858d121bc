#include "coordinator/edge/join_lines.h"

#include <array>
#include <charconv>
#include <unistd.h>

#include "common/net/clock.h"
#include "common/net/invites.h"
#include "common/net/join_line.h"
#include "common/net/keys.h"
#include "coordinator/edge/router_error.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScheme = "tcp://";
constexpr Duration kFirstLineGoodFor{3'600'000};

struct TcpAddress {
  std::string host;  // without brackets
  std::string port;
};

[[noreturn]] void refuse(const std::string& endpoint) {
  throw RouterError(endpoint + ": not an address to listen at; write tcp://HOST:PORT");
}

TcpAddress tcp_address(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kScheme) || colon < kScheme.size()) refuse(endpoint);
  std::string host = endpoint.substr(kScheme.size(), colon - kScheme.size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = host, .port = endpoint.substr(colon + 1)};
}

int port_of(const std::string& endpoint) {
  const std::string text = tcp_address(endpoint).port;
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) refuse(endpoint);
  return port;
}

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

fs::path addresses_file(const fs::path& data_folder) {
  return data_folder / "coordinator.addresses";
}

}  // namespace

JoinAddresses join_addresses(const std::string& link_endpoint, const std::string& enrol_endpoint,
                             const std::string& host) {
  JoinAddresses out{.host = host, .link_port = port_of(link_endpoint), .enrol_port = port_of(enrol_endpoint)};
  if (out.host.empty()) out.host = tcp_address(link_endpoint).host;
  if (out.host == "*" || out.host == "0.0.0.0" || out.host == "::") out.host = own_name();
  if (const std::string fault = fault_of_join_host(out.host); !fault.empty())
    throw RouterError("\"" + out.host + "\", as workers would reach this machine, is " + fault +
                      "; say how with --host");
  return out;
}

void write_join_addresses(const fs::path& data_folder, const JoinAddresses& addresses) {
  replace_lines(addresses_file(data_folder), {to_json(addresses).dump()});
}

std::optional<JoinAddresses> read_join_addresses(const fs::path& data_folder) {
  const std::vector<std::string> lines = lines_of(addresses_file(data_folder));
  if (lines.empty()) return std::nullopt;
  try {
    const auto addresses = from_json<JoinAddresses>(parse_json(lines.front()));
    if (const std::string fault = fault_of_join_host(addresses.host); !fault.empty())
      fail_on(addresses_file(data_folder), "\"" + addresses.host + "\": " + fault);
    return addresses;
  } catch (const ProtocolError& error) {
    fail_on(addresses_file(data_folder), error.what());
  }
}

std::string new_join_line(const fs::path& data_folder, const JoinAddresses& addresses, int uses,
                          Duration good_for) {
  const fs::path keys = data_folder / "keys";
  const int64_t now = wall_clock_ms();
  JoinLine line{.host = addresses.host,
                .link_port = addresses.link_port,
                .enrol_port = addresses.enrol_port,
                .server_key = load_or_make_key_pair(keys, "coordinator").public_key,
                .token = ""};
  line.token = add_invite(keys / "invites", uses, now + good_for.count(), now);
  return to_text(line);
}

std::optional<std::string> first_join_line(const fs::path& data_folder, const JoinAddresses& addresses) {
  const fs::path keys = data_folder / "keys";
  if (fs::exists(keys / "invites")) return std::nullopt;  // keys/workers is `run`'s and `authorise`'s, too
  return new_join_line(data_folder, addresses, 1, kFirstLineGoodFor);
}

std::string enrol_endpoint_beside(const std::string& link_endpoint) {
  const size_t colon = link_endpoint.rfind(':');
  if (tcp_address(link_endpoint).port == "*") return link_endpoint;
  return link_endpoint.substr(0, colon + 1) + std::to_string(port_of(link_endpoint) % 65535 + 1);
}

}  // namespace ranktide
