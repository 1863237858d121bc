#include "cli/request.h"

#include <chrono>
#include <fmt/format.h>
#include <functional>
#include <random>
#include <thread>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/store_folder.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
constexpr int kTries = 3;

HttpAnswer insist(const HttpClient& client, const std::function<std::optional<HttpAnswer>()>& ask) {
  for (int tried = 1;; ++tried) {
    try {
      if (const auto answer = ask()) return *answer;
    } catch (const CutOff&) {
      if (tried == kTries) throw;
    }
    if (tried == kTries)
      throw CommandError(kUnreachable, "no coordinator answers at " + client.url() +
                                           "; is it running, and is the address right?");
    std::this_thread::sleep_for(tried * 500ms);
  }
}

}  // namespace

std::string fresh_request_id(const std::string& what) {
  std::random_device chance;
  return fmt::format("{}:{:08x}{:08x}{:08x}{:08x}", what, chance(), chance(), chance(), chance());
}

Json post_command(const HttpClient& client, const std::string& target, Json body) {
  if (!body.contains("request_id")) body["request_id"] = fresh_request_id("cli");
  return parse_json(body_of(insist(client, [&] { return client.post(target, body); })));
}

std::string get_body(const HttpClient& client, const std::string& target) {
  return body_of(insist(client, [&] { return client.get(target); }));
}

std::optional<std::string> body_of_folder(const std::filesystem::path& data, const std::string& target,
                                          std::chrono::milliseconds patience) {
  for (const auto end = std::chrono::steady_clock::now() + patience;; std::this_thread::sleep_for(100ms)) {
    const auto client = client_of_folder(data);
    if (const auto answer = client ? client->get(target) : std::nullopt) return body_of(*answer);
    const auto holder = FolderLock::holder(data);
    if (!holder) return std::nullopt;
    if (std::chrono::steady_clock::now() >= end)
      throw CommandError(kUnreachable, *holder + " serves " + data.string() +
                                           " and does not answer; ask again in a while, or end it");
  }
}

std::string sweep_target(const std::string& sweep, const std::string& action) {
  return "/api/v1/sweeps/" + percent_encode(sweep) + "/" + action;
}

}  // namespace ranktide::cli
