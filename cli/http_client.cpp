#include "cli/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/version.h"
#include "common/net/key_file.h"
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

// One request and its answer over a stream that is connected.
template <class Stream>
std::optional<HttpAnswer> exchange(Stream& stream, const Request& request) {
  beast::error_code error;
  http::write(stream, request, error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kAnswerBytesMax);
  if (!error) http::read(stream, buffer, response, error);
  if (error || response.get()["Server"] != kServerName)
    return std::nullopt;  // another program has the port by now
  return HttpAnswer{.status = response.get().result_int(), .body = response.get().body()};
}

// The peer must prove to be who the URL names.
std::optional<HttpAnswer> exchange_tls(asio::io_context& io, const Tcp::resolver::results_type& where,
                                       const Url& url, const Request& request) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths();
  tls.set_verify_mode(asio::ssl::verify_peer);
  asio::ssl::stream<beast::tcp_stream> stream(io, tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  beast::error_code error;
  beast::get_lowest_layer(stream).connect(where, error);
  if (!error) stream.handshake(asio::ssl::stream_base::client, error);
  if (error) return std::nullopt;
  return exchange(stream, request);
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

HttpClient::HttpClient(Url url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}

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
  asio::io_context io;
  beast::error_code error;
  const auto where = Tcp::resolver(io).resolve(url_.host, url_.port, error);
  if (error) return std::nullopt;
  const Request request = request_of(method, target, body, url_, token_);
  if (url_.is_tls) return exchange_tls(io, where, url_, request);
  beast::tcp_stream stream(io);
  stream.connect(where, error);
  if (error) return std::nullopt;  // a coordinator that was killed leaves its address behind
  return exchange(stream, request);
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
    text = parse_json(answer.body).value("error", answer.body);
  } catch (const ProtocolError&) {
    text = "the coordinator answered " + std::to_string(answer.status);
  }
  throw CommandError(exit_code_of(answer.status), text);
}

}  // namespace ranktide::cli
