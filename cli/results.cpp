#include "cli/results.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fstream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kAnswerBytesMax = 1 << 30;

// Returns: the port in the address file; nullopt when there is none.
std::optional<uint16_t> served_port(const fs::path& data_folder) {
  std::ifstream in(http_address_file(data_folder));
  std::string address;
  if (!(in >> address)) return std::nullopt;
  const auto colon = address.rfind(':');
  try {
    return static_cast<uint16_t>(std::stoul(address.substr(colon + 1)));
  } catch (const std::logic_error&) {
    return std::nullopt;  // half written; the coordinator is only starting
  }
}

[[noreturn]] void refuse(unsigned status, const std::string& body) {
  std::string text = body;
  try {
    text = parse_json(body).value("error", body);
  } catch (const ProtocolError&) {
  }
  throw CommandError(status == 404 ? kNotFound : status == 400 ? kUsage : kFailed, text);
}

}  // namespace

Results::Results(fs::path data_folder) : data_folder_(std::move(data_folder)) {
  if (!fs::exists(database_file(data_folder_)))
    throw CommandError(kNotFound,
                       "no results in " + data_folder_.string() +
                           "; `ranktide run FILE` makes them there, --data-dir names another folder");
}

std::optional<std::string> Results::ask(const std::string& target) const {
  const auto port = served_port(data_folder_);
  if (!port) return std::nullopt;
  asio::io_context io;
  beast::tcp_stream stream(io);
  beast::error_code error;
  stream.connect({asio::ip::address_v4::loopback(), *port}, error);
  if (error) return std::nullopt;  // a coordinator that was killed leaves its address behind
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host, "127.0.0.1");
  http::write(stream, request, error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kAnswerBytesMax);
  if (!error) http::read(stream, buffer, response, error);
  if (error || response.get()["Server"] != kServerName)
    return std::nullopt;  // another program has the port by now
  if (response.get().result_int() != 200) refuse(response.get().result_int(), response.get().body());
  return response.get().body();
}

std::string Results::query(const QueryRequest& request, const std::string& format) const {
  if (const auto body = ask(query_target(request, format))) return *body;
  return print(ranktide::query(Reader(data_folder_), request), *frame_format(format));
}

std::vector<SweepStatus> Results::sweeps(const std::string& name) const {
  const std::string target = "/api/v1/sweeps" + (name.empty() ? "" : "?name=" + percent_encode(name));
  if (const auto body = ask(target)) return from_json<std::vector<SweepStatus>>(parse_json(*body));
  const Reader reader(data_folder_);
  if (name.empty()) return all_sweep_status(reader);
  const auto one = sweep_status(reader, name);
  if (!one) throw CommandError(kNotFound, "no sweep named \"" + name + "\"; `ranktide status` lists them");
  return {*one};
}

std::vector<std::string> Results::trials_with_prefix(const std::string& prefix) const {
  if (const auto body = ask("/api/v1/trials?prefix=" + percent_encode(prefix)))
    return from_json<std::vector<std::string>>(parse_json(*body));
  return ranktide::trials_with_prefix(Reader(data_folder_), prefix);
}

std::vector<TrialAttempt> Results::attempts_of(const std::string& trial) const {
  if (const auto body = ask("/api/v1/attempts?trial=" + percent_encode(trial)))
    return from_json<std::vector<TrialAttempt>>(parse_json(*body));
  return ranktide::attempts_of(Reader(data_folder_), trial);
}

}  // namespace ranktide::cli
