#include "common/net/join_line.h"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>
#include <zmq.h>

#include "common/net/keys.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr std::string_view kName = "ranktide-join";
constexpr std::string_view kForm = "1";
constexpr size_t kKeyBytes = 32;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kHostBytesMax = 255;
constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
enum Part : size_t {
  kTitle,
  kVersion,
  kHost,
  kLinkPort,
  kEnrolPort,
  kServerKey,
  kToken,
  kChecksum,
  kPartCount
};

constexpr const char* kAskAgain =
    "; have the coordinator's `ranktide invite` print a new one and copy all of it";

std::string hex_of(const std::array<uint8_t, kKeyBytes>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : bytes) (out += kDigits[byte >> 4]) += kDigits[byte & 0xf];
  return out;
}

bool is_hex(std::string_view text) {
  return text.size() == 2 * kKeyBytes && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string key_as_hex(const std::string& z85) {
  std::array<uint8_t, kKeyBytes> bytes{};
  RT_CHECK(is_key_text(z85));
  RT_CHECK(zmq_z85_decode(bytes.data(), z85.c_str()) != nullptr);
  return hex_of(bytes);
}

// Requires: is_hex(hex).
std::string key_from_hex(std::string_view hex) {
  std::array<uint8_t, kKeyBytes> bytes{};
  for (size_t i = 0; i < kKeyBytes; ++i)
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, bytes[i], 16);
  std::array<char, kKeyTextBytes + 1> out{};
  RT_CHECK(zmq_z85_encode(out.data(), bytes.data(), bytes.size()) != nullptr);
  return out.data();
}

std::string checksum_of(std::string_view text) {
  return sha256_hex(text).substr(0, kChecksumBytes);
}

std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\"'";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<int> port_of(const std::string& text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_sound = error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
  return is_sound ? std::optional(port) : std::nullopt;
}

void require_whole(std::string_view text, const std::vector<std::string>& parts) {
  if (parts[kTitle] != kName)
    throw JoinLineError("not a join line: it begins with \"" + std::string(kName) + "/\"" + kAskAgain);
  if (parts.size() > kVersion && parts[kVersion] != kForm)
    throw JoinLineError("a join line of form " + parts[kVersion] + ", this program reads form " +
                        std::string(kForm) + "; use one ranktide version on both sides");
  if (parts.size() != kPartCount)
    throw JoinLineError("a join line that was cut: " + std::to_string(parts.size()) + " of " +
                        std::to_string(kPartCount) + " parts" + kAskAgain);
  if (parts[kChecksum] != checksum_of(text.substr(0, text.rfind('/'))))
    throw JoinLineError(std::string("a join line that was cut or mistyped: its checksum does not fit") +
                        kAskAgain);
}

// With or without the zone of an address that is good on one link only, as in fe80::1%eth0.
bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) == 1;
}

}  // namespace

std::string fault_of_join_host(const std::string& host) {
  const std::string letters = std::string(kNameLetters) + (is_ipv6(host) ? ":%" : "");
  const bool is_sound =
      !host.empty() && host.size() <= kHostBytesMax && host.find_first_not_of(letters) == std::string::npos;
  return is_sound ? "" : "neither a machine's name nor its address, such as head, 10.0.0.5 or fd00::5";
}

std::string to_text(const JoinLine& line) {
  RT_CHECK(fault_of_join_host(line.host).empty());
  RT_CHECK(is_hex(line.token));
  std::string out(kName);
  for (const std::string& part : {std::string(kForm), line.host, std::to_string(line.link_port),
                                  std::to_string(line.enrol_port), key_as_hex(line.server_key), line.token})
    (out += '/') += part;
  return out + "/" + checksum_of(out);
}

JoinLine parse_join_line(std::string_view text) {
  const std::string_view line = trimmed(text);
  const std::vector<std::string> parts = parts_of(line);
  require_whole(line, parts);
  const auto link_port = port_of(parts[kLinkPort]);
  const auto enrol_port = port_of(parts[kEnrolPort]);
  const bool is_sound =
      link_port && enrol_port && !parts[kHost].empty() && is_hex(parts[kServerKey]) && is_hex(parts[kToken]);
  if (!is_sound) throw JoinLineError(std::string("a join line with a part that makes no sense") + kAskAgain);
  return {.host = parts[kHost],
          .link_port = *link_port,
          .enrol_port = *enrol_port,
          .server_key = key_from_hex(parts[kServerKey]),
          .token = parts[kToken]};
}

std::string tcp_endpoint(const std::string& host, int port) {
  const bool is_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return "tcp://" + (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace ranktide
