#include "cli/results.h"

#include <chrono>
#include <fmt/format.h>
#include <thread>
#include <utility>

#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/request.h"
#include "cli/version.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/query_settings.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/report.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

Results::Results(const GlobalOptions& globals) : named_(named_coordinator(globals)) {
  if (named_) return;
  data_folder_ = data_folder(globals.data_dir);
  if (!fs::exists(database_file(data_folder_)))
    throw CommandError(kNotFound,
                       "no results in " + data_folder_.string() +
                           "; `ranktide run FILE` makes them there, --data-dir names another folder");
}

void Results::outlive_restarts(Patience patience) {
  if (!named_) return;
  patient_.emplace([named = *named_] { return std::optional(named); }, std::move(patience));
}

std::optional<std::string> Results::ask(const std::string& target) const {
  if (patient_) return body_of(patient_->get(target).value());
  if (named_) return get_body(*named_, target);
  return body_of_folder(data_folder_, target);
}

std::optional<std::string> Results::ask_until_made(const std::string& target, const TransferTold& told) const {
  for (bool is_said = false;; std::this_thread::sleep_for(std::chrono::seconds(1))) {
    try {
      return ask(target);
    } catch (const StillMade& wait) {
      if (!std::exchange(is_said, true)) told.say(wait.what());
      told.moved("at the coordinator", wait.made, wait.whole);
    }
  }
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

TrialHistory Results::history_of(const std::string& trial) const {
  if (const auto body = ask("/api/v1/attempts?trial=" + percent_encode(trial)))
    return from_json<TrialHistory>(parse_json(*body));
  return ranktide::history_of(Reader(data_folder_), trial);
}

LogPart Results::log_part(const Lease& lease, int64_t offset) const {
  const std::string target = "/api/v1/log?unit=" + lease.unit.text +
                             "&attempt=" + std::to_string(lease.attempt) + "&offset=" + std::to_string(offset);
  if (const auto body = ask(target)) return from_json<LogPart>(parse_json(*body));
  return read_log(logs_of(data_folder_), lease, offset);
}

std::string Results::report(const ReportRequest& request) const {
  if (auto body = ask(report_target(request))) return *std::move(body);
  return report_html(Reader(data_folder_), request);
}

std::vector<TrialStanding> Results::standings_after(const std::string& trial, Told told) const {
  const std::string with = told == Told::settings ? "settings=1&" : "";
  if (const auto body = ask("/api/v1/standings?" + with + "after=" + trial))
    return from_json<std::vector<TrialStanding>>(parse_json(*body));
  return trials_after(Reader(data_folder_), trial, kTrialsPerPage, told);
}

std::vector<MeasuredTrial> Results::measured() const {
  if (const auto body = ask("/api/v1/measured"))
    return from_json<std::vector<MeasuredTrial>>(parse_json(*body));
  return measured_trials(Reader(data_folder_));
}

Json Results::settings(const std::string& trial) const {
  if (const auto body = ask("/api/v1/settings?trial=" + percent_encode(trial))) return parse_json(*body);
  auto found = trial_settings(Reader(data_folder_), trial);
  if (!found) throw CommandError(kNotFound, "no trial " + trial);
  return *std::move(found);
}

std::optional<SweepSpec> Results::spec_if_known(const std::string& sweep) const {
  try {
    if (const auto body = ask("/api/v1/spec?sweep=" + percent_encode(sweep)))
      return from_json<SweepSpec>(parse_json(*body));
  } catch (const CommandError& error) {
    if (error.code != kNotFound) throw;
    return std::nullopt;
  }
  auto found = newest_submission(Reader(data_folder_), sweep);
  return found ? std::optional(std::move(found->spec)) : std::nullopt;
}

SweepSpec Results::spec(const std::string& sweep) const {
  auto found = spec_if_known(sweep);
  if (!found) throw CommandError(kNotFound, "no sweep named \"" + sweep + "\"; `ranktide status` lists them");
  return *std::move(found);
}

Artifact Results::artifact(const std::string& trial, const TransferTold& told) const {
  if (const auto body = ask_until_made(artifact_target(trial), told))
    return from_json<Artifact>(parse_json(*body));
  Artifact found = read_artifact(data_folder_, trial);
  if (found.files.empty())
    throw CommandError(kNotFound, "nothing is kept of trial " + trial.substr(0, 12) + " in " +
                                      data_folder_.string() + "; run.keep says what finished trials leave");
  return found;
}

std::string Results::artifact_piece(const std::string& trial, const std::string& file, int64_t offset) const {
  if (auto body = ask(artifact_target(trial, file, offset))) return *std::move(body);
  auto piece = read_artifact_piece(data_folder_, trial, file, offset);
  if (!piece) throw CommandError(kNotFound, "trial " + trial.substr(0, 12) + " left no file " + file);
  return *std::move(piece);
}

std::string full_trial_id(const Results& results, const std::string& prefix) {
  const auto found = results.trials_with_prefix(prefix);
  if (found.empty())
    throw CommandError(kNotFound, "no trial whose id starts with \"" + prefix +
                                      "\"; `ranktide query SWEEP --trials` lists them");
  if (found.size() > 1)
    throw CommandError(kUsage,
                       fmt::format("\"{}\" begins {} trial ids, {} and {} among them; give more digits", prefix,
                                   found.size(), found[0].substr(0, 16), found[1].substr(0, 16)));
  return found[0];
}

bool has_results(const GlobalOptions& globals) {
  return named_coordinator(globals) || fs::exists(database_file(data_folder(globals.data_dir)));
}

}  // namespace ranktide::cli
