#include "cli/http_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "cli/exit_codes.h"
#include "cli/version.h"
#include "common/net/key_file.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/client_version.h"
#include "coordinator/edge/http_address.h"
#include "coordinator/edge/http_server.h"

namespace ranktide::cli {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace fs = std::filesystem;

namespace {

using Tcp = asio::ip::tcp;
using Request = http::request<http::string_body>;

constexpr uint64_t kAnswerBytesMax = 1 << 30;

std::string authority_of(const Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + url.host + "]" : url.host) + ":" + url.port;
}

// Returns: the address in the file; nullopt when there is none.
std::optional<Url> served_url(const fs::path& data_folder) {
  std::ifstream in(http_address_file(data_folder));
  std::string text;
  if (!(in >> text)) return std::nullopt;
  try {
    const HttpAddress address = parse_http_address(text);
    return Url{.host = address.host, .port = std::to_string(address.port)};
  } catch (const std::invalid_argument&) {
    return std::nullopt;  // half written; the coordinator is only starting
  }
}

Request request_of(const std::string& method, const std::string& target, const std::string& body,
                   const Url& url, const std::string& token) {
  Request out(http::string_to_verb(method), target, 11);
  out.set(http::field::host, authority_of(url));
  out.set(kClientHeader, client_header(kVersion));
  if (!token.empty()) out.set(http::field::authorization, "Bearer " + token);
  if (method == "POST") out.set(http::field::content_type, "application/json");
  out.body() = body;
  out.prepare_payload();
  return out;
}

// One attempt to be answered. Its steps are asynchronous because only those obey a stream's limit.
struct Asking {
  const Url& url;
  const HttpLimits limits;
  asio::io_context io{1};

  // Begins a step and waits for its end. Throws: Unanswered when the limit has passed.
  template <class Stream, class Begin>
  beast::error_code step(Stream& stream, std::chrono::milliseconds limit, Begin begin) {
    beast::error_code end;
    beast::get_lowest_layer(stream).expires_after(limit);
    begin([&end](beast::error_code error, const auto&...) { end = error; });
    io.restart();
    io.run();
    if (end == beast::error::timeout)
      throw Unanswered(
          fmt::format("nobody answered at {} for {:.3g} s; is it a coordinator's address, and does "
                      "a firewall let us through?",
                      url.text(), std::chrono::duration<double>(limit).count()));
    return end;
  }
};

beast::error_code connect(Asking& asking, beast::tcp_stream& stream, const Tcp::resolver::results_type& where) {
  return asking.step(stream, asking.limits.connect,
                     [&](auto done) { stream.async_connect(where, std::move(done)); });
}

// Proxies put their own name in Server.
bool is_coordinators(const http::response<http::string_body>& response) {
  return response.count(kApiHeader) > 0 || response[http::field::server] == kServerName;
}

// Returns: whether the connection ended within an answer, which is not what another program's words end with.
bool was_cut(const http::response_parser<http::string_body>& response, beast::error_code error) {
  const auto& of_http = http::make_error_code(http::error::bad_method).category();
  return response.got_some() && (error == http::error::partial_message || error.category() != of_http);
}

// One request and its answer over a stream that is connected. A long answer may take as long as it keeps
// coming.
template <class Stream>
std::optional<HttpAnswer> exchange(Asking& asking, Stream& stream, const Request& request) {
  http::response_parser<http::string_body> response;
  response.body_limit(kAnswerBytesMax);
  response.eager(true);
  beast::flat_buffer buffer;
  beast::error_code error = asking.step(
      stream, asking.limits.silence, [&](auto done) { http::async_write(stream, request, std::move(done)); });
  while (!error && !response.is_done())
    error = asking.step(stream, asking.limits.silence,
                        [&](auto done) { http::async_read_some(stream, buffer, response, std::move(done)); });
  if (error && was_cut(response, error))
    throw CutOff(fmt::format("the answer from {} was cut off ({}); does a proxy in front limit answers?",
                             asking.url.text(), error.message()));
  if (error || !is_coordinators(response.get())) return std::nullopt;  // another program has the port by now
  return HttpAnswer{.status = response.get().result_int(), .body = response.get().body()};
}

// What the peer's certificate must be for; a server of several names asks for the name first.
void expect_peer(SSL* tls, const std::string& host) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str()) == 1) return;
  RT_CHECK(X509_VERIFY_PARAM_set1_host(SSL_get0_param(tls), host.c_str(), 0) == 1);
  RT_CHECK(SSL_set_tlsext_host_name(tls, host.c_str()) == 1);
}

std::string remedy_of(long verdict, const std::string& host) {
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "it was not made for " + host + ": use a name in the URL that it was made for";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "it must be renewed there, or the clock of this machine is wrong";
    default:
      return "if it is the right one, name a file with the authority that signed it: SSL_CERT_FILE=ca.pem";
  }
}

// Returns: what went wrong in a handshake, and what to do; nullopt when the peer only went away.
std::optional<std::string> fault_of(const Url& url, SSL* tls, beast::error_code error) {
  if (error.category() != asio::error::get_ssl_category()) return std::nullopt;
  if (const long verdict = SSL_get_verify_result(tls); verdict != X509_V_OK)
    return fmt::format("the certificate of {} is not trusted ({}); {}", url.text(),
                       X509_verify_cert_error_string(verdict), remedy_of(verdict, url.host));
  return fmt::format(
      "{} does not speak TLS as we do ({}); a coordinator itself speaks http://, a TLS proxy in "
      "front of it https://",
      url.text(), error.message());
}

// The peer must prove to be who the URL names.
std::optional<HttpAnswer> exchange_tls(Asking& asking, const Tcp::resolver::results_type& where,
                                       const Request& request) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths();
  tls.set_verify_mode(asio::ssl::verify_peer);
  asio::ssl::stream<beast::tcp_stream> stream(asking.io, tls);
  expect_peer(stream.native_handle(), asking.url.host);
  if (connect(asking, beast::get_lowest_layer(stream), where)) return std::nullopt;
  const beast::error_code error = asking.step(stream, asking.limits.silence, [&](auto done) {
    stream.async_handshake(asio::ssl::stream_base::client, std::move(done));
  });
  if (!error) return exchange(asking, stream, request);
  if (const auto fault = fault_of(asking.url, stream.native_handle(), error)) throw NotTrusted(*fault);
  return std::nullopt;
}

int exit_code_of(unsigned status) {
  switch (status) {
    case 400:
      return kUsage;
    case 401:
    case 403:
      return kNotAuthorised;
    case 404:
      return kNotFound;
    default:
      return kFailed;
  }
}

}  // namespace

std::string Url::text() const {
  return (is_tls ? "https://" : "http://") + authority_of(*this);
}

Url parse_url(const std::string& text) {
  static const std::regex kUrl(R"((https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?/?)");
  std::smatch part;
  if (!std::regex_match(text, part, kUrl))
    throw CommandError(kUsage, "\"" + text + "\" is not a coordinator's URL, such as http://10.0.0.5:8080");
  Url url{.is_tls = part[1] == "https", .host = part[2], .port = part[3]};
  if (url.host.front() == '[') url.host = url.host.substr(1, url.host.size() - 2);
  if (url.port.empty()) url.port = url.is_tls ? "443" : "80";
  return url;
}

HttpClient::HttpClient(Url url, std::string token, HttpLimits limits)
    : url_(std::move(url)), token_(std::move(token)), limits_(limits) {}

HttpClient HttpClient::within(std::chrono::milliseconds limit) const {
  return HttpClient(url_, token_,
                    {.connect = std::min(limits_.connect, limit), .silence = std::min(limits_.silence, limit)});
}

std::optional<HttpAnswer> HttpClient::get(const std::string& target) const {
  return ask("GET", target, "");
}

std::optional<HttpAnswer> HttpClient::post(const std::string& target, const Json& body) const {
  return ask("POST", target, body.dump());
}

std::optional<HttpAnswer> HttpClient::put(const std::string& target, const std::string& bytes) const {
  return ask("PUT", target, bytes);
}

std::optional<HttpAnswer> HttpClient::ask(const std::string& method, const std::string& target,
                                          const std::string& body) const {
  Asking asking{.url = url_, .limits = limits_};
  beast::error_code error;
  const auto where = Tcp::resolver(asking.io).resolve(url_.host, url_.port, error);
  if (error) return std::nullopt;
  const Request request = request_of(method, target, body, url_, token_);
  if (url_.is_tls) return exchange_tls(asking, where, request);
  beast::tcp_stream stream(asking.io);
  if (connect(asking, stream, where))
    return std::nullopt;  // a coordinator that was killed leaves its address behind
  return exchange(asking, stream, request);
}

std::string read_token(const fs::path& file) {
  try {
    require_private(file, 0600);
  } catch (const KeyError& loose) {
    throw CommandError(kNotAuthorised, loose.what());
  }
  const auto lines = lines_of(file);
  return lines.empty() ? "" : lines.front();
}

std::optional<HttpClient> client_of_folder(const fs::path& data_folder) {
  const auto url = served_url(data_folder);
  if (!url) return std::nullopt;
  const char* const file = std::getenv("RANKTIDE_TOKEN_FILE");
  return HttpClient(*url, file && *file ? read_token(file) : "");
}

const std::string& body_of(const HttpAnswer& answer) {
  if (answer.status == 200) return answer.body;
  std::string text = answer.body;
  try {
    const Json body = parse_json(answer.body);
    text = body.value("error", answer.body);
    if (answer.status == 503 && body.contains("hashed"))
      throw StillMade(text, body.value("hashed", int64_t{0}), body.value("bytes", int64_t{0}));
  } catch (const ProtocolError&) {
    text = "the coordinator answered " + std::to_string(answer.status);
  }
  throw CommandError(exit_code_of(answer.status), text);
}

}  // namespace ranktide::cli
