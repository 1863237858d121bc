#include "cli/patient_client.h"

#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <thread>

#include "cli/coordinator_choice.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstLimit = 1'500ms;  // as long as post_command() and get_body() insist
constexpr milliseconds kLastQuestion = 1s;     // time for an answer even where the command's own is up

milliseconds left_until(const std::optional<Clock::time_point>& until) {
  if (!until) return 24h;
  return std::max(0ms, std::chrono::ceil<milliseconds>(*until - Clock::now()));
}

}  // namespace

std::function<void(const std::string&)> told_on_stderr(const GlobalOptions& globals) {
  return [quiet = globals.quiet](const std::string& line) {
    if (!quiet) std::cerr << line << "\n";
  };
}

PatientClient::PatientClient(Find find, Patience patience)
    : find_(std::move(find)), patience_(std::move(patience)) {}

PatientClient::PatientClient(const GlobalOptions& globals, Patience patience)
    : PatientClient([&globals] { return chosen_coordinator(globals); }, std::move(patience)) {
  url_ = require_coordinator(globals).url();
}

std::optional<HttpAnswer> PatientClient::ask(const Ask& ask) {
  const auto since = Clock::now();
  for (;;) {
    if (auto answer = ask_once(ask)) return answer;
    if (patience_.until && Clock::now() >= *patience_.until) return std::nullopt;
    wait(since);
  }
}

std::optional<HttpAnswer> PatientClient::get(const std::string& target) {
  return ask([&](const HttpClient& client) { return client.get(target); });
}

// A coordinator that stops says 503 to what it does not begin any more.
std::optional<HttpAnswer> PatientClient::ask_once(const Ask& ask) {
  const auto client = find_();
  if (!client) return std::nullopt;
  url_ = client->url();
  cut_.clear();
  std::optional<HttpAnswer> answer;
  try {
    answer = ask(client->within(std::max(left_until(patience_.until), kLastQuestion)));
  } catch (const CutOff& cut) {
    cut_ = cut.what();
  } catch (const Unanswered&) {
    if (!was_answered_) throw;
  }
  if (!answer || (was_answered_ && answer->status == 503)) return std::nullopt;
  was_answered_ = true;
  is_away_ = false;
  return answer;
}

void PatientClient::wait(Clock::time_point since) {
  const milliseconds limit = was_answered_ ? patience_.limit : kFirstLimit;
  if (Clock::now() - since >= limit) throw CommandError(kUnreachable, why_it_ends(limit));
  if (was_answered_ && !is_away_ && patience_.say)
    patience_.say("waiting for the coordinator at " + url_ + (cut_.empty() ? "" : ": " + cut_));
  is_away_ = was_answered_;
  std::this_thread::sleep_for(std::min({patience_.pause, limit / 3, left_until(patience_.until)}));
}

std::string PatientClient::why_it_ends(milliseconds limit) const {
  if (was_answered_)
    return fmt::format(
        "the coordinator at {} has not answered for {:.3g} s{}; once it does, the same command goes on", url_,
        std::chrono::duration<double>(limit).count(), cut_.empty() ? "" : ": " + cut_);
  if (!cut_.empty()) return cut_;
  return fmt::format("no coordinator answers at {}; is it running, and is the address right?", url_);
}

}  // namespace ranktide::cli
