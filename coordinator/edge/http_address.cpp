#include "coordinator/edge/http_address.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <charconv>
#include <stdexcept>

namespace ranktide {
namespace ip = boost::asio::ip;

namespace {

ip::address address_of(const std::string& host) {
  return ip::make_address(host);
}

}  // namespace

bool HttpAddress::is_loopback() const {
  return address_of(host).is_loopback();
}

bool HttpAddress::is_any() const {
  return address_of(host).is_unspecified();
}

std::string HttpAddress::text() const {
  return (address_of(host).is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

HttpAddress parse_http_address(const std::string& text) {
  const size_t colon = std::min(text.rfind(':'), text.size());
  const std::string before = text.substr(0, colon);
  const std::string digits = text.substr(std::min(colon + 1, text.size()));
  HttpAddress out{.host = host_of(before)};
  if (out.host == "localhost") out.host = "127.0.0.1";
  const bool is_bracketed = before.starts_with('[') && before.ends_with(']');
  const bool is_host = is_numeric_host(out.host) && is_bracketed == (before.find(':') != std::string::npos);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (!is_host || error != std::errc{} || end != digits.data() + digits.size())
    throw std::invalid_argument("\"" + text +
                                "\" is not HOST:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080");
  return out;
}

std::string host_of(const std::string& authority) {
  std::string host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, std::min(host.find(']'), host.size()) - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

bool is_numeric_host(const std::string& host) {
  boost::system::error_code error;
  ip::make_address(host, error);
  return !error;
}

}  // namespace ranktide
