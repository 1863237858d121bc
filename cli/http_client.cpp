#include "cli/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/net/key_file.h"
#include "coordinator/edge/http_server.h"

namespace ranktide::cli {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kAnswerBytesMax = 1 << 30;

// Returns: the address in the file; nullopt when there is none.
std::optional<HttpAddress> served_address(const fs::path& data_folder) {
  std::ifstream in(http_address_file(data_folder));
  std::string text;
  if (!(in >> text)) return std::nullopt;
  try {
    return parse_http_address(text);
  } catch (const std::invalid_argument&) {
    return std::nullopt;  // half written; the coordinator is only starting
  }
}

std::string own_token() {
  const char* const file = std::getenv("RANKTIDE_TOKEN_FILE");
  if (file == nullptr || *file == '\0') return "";
  try {
    require_private(file, 0600);
  } catch (const KeyError& loose) {
    throw CommandError(kNotAuthorised, loose.what());
  }
  const auto lines = lines_of(file);
  return lines.empty() ? "" : lines.front();
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

HttpClient::HttpClient(HttpAddress address, std::string token)
    : address_(std::move(address)), token_(std::move(token)) {}

std::optional<HttpAnswer> HttpClient::get(const std::string& target) const {
  return ask("GET", target, "");
}

std::optional<HttpAnswer> HttpClient::post(const std::string& target, const Json& body) const {
  return ask("POST", target, body.dump());
}

std::optional<HttpAnswer> HttpClient::ask(const std::string& method, const std::string& target,
                                          const std::string& body) const {
  asio::io_context io;
  beast::tcp_stream stream(io);
  beast::error_code error;
  stream.connect({asio::ip::make_address(address_.host), address_.port}, error);
  if (error) return std::nullopt;  // a coordinator that was killed leaves its address behind
  http::request<http::string_body> request(http::string_to_verb(method), target, 11);
  request.set(http::field::host, address_.text());
  if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
  if (method == "POST") request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  http::write(stream, request, error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kAnswerBytesMax);
  if (!error) http::read(stream, buffer, response, error);
  if (error || response.get()["Server"] != kServerName)
    return std::nullopt;  // another program has the port by now
  return HttpAnswer{.status = response.get().result_int(), .body = response.get().body()};
}

std::optional<HttpClient> client_of(const fs::path& data_folder) {
  const auto address = served_address(data_folder);
  if (!address) return std::nullopt;
  return HttpClient(*address, own_token());
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
