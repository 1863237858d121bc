#include "coordinator/edge/api.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <spdlog/spdlog.h>

#include "common/content/manifest.h"
#include "coordinator/edge/artifact_routes.h"
#include "coordinator/edge/log_shelf.h"
#include "coordinator/edge/query_attempts.h"
#include "coordinator/edge/query_models.h"
#include "coordinator/edge/query_past.h"
#include "coordinator/edge/query_settings.h"
#include "coordinator/edge/query_source.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/query_workers.h"
#include "coordinator/edge/report.h"

namespace ranktide {
namespace {

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::string percent_decode(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
      if (!high || !low) throw QueryError("broken percent escape in \"" + text + "\"");
      out.push_back(static_cast<char>(*high * 16 + *low));
      i += 2;
    }
  }
  return out;
}

std::vector<std::string> all_of(const Target& target, const std::string& name) {
  std::vector<std::string> out;
  const auto [begin, end] = target.arguments.equal_range(name);
  for (auto it = begin; it != end; ++it) out.push_back(it->second);
  return out;
}

const char* media_type(FrameFormat format) {
  switch (format) {
    case FrameFormat::csv:
      return "text/csv";
    case FrameFormat::json:
      return "application/json";
    case FrameFormat::jsonl:
      return "application/x-ndjson";
    case FrameFormat::md:
      return "text/markdown";
    case FrameFormat::table:
      return "text/plain";
  }
  return "text/plain";
}

ApiResponse answer_query(const Reader& reader, const Target& target) {
  const QueryRequest request{
      .sweeps = all_of(target, "sweep"),
      .by = all_of(target, "by"),
      .where = argument_of(target, "where", ""),
      .metrics = all_of(target, "metric"),
      .rows = argument_of(target, "rows", "cells") == "trials" ? QueryRows::trials : QueryRows::cells,
      .select = all_of(target, "select"),
      .select_on = argument_of(target, "select_on", ""),
      .vs = argument_of(target, "vs", ""),
      .keeps_tuned = argument_of(target, "tuned", "") == "all"};
  const auto format = frame_format(argument_of(target, "format", "json"));
  if (!format) throw QueryError("format is one of table, csv, json, jsonl, md");
  return {.type = media_type(*format), .body = print(query(reader, request), *format)};
}

bool repeats_something(const SweepStatus& status) {
  return std::any_of(status.running.begin(), status.running.end(),
                     [](const RunningTrial& trial) { return trial.repeats_to > 0; });
}

ApiResponse answer_sweeps(const Reader& reader, const Target& target, const TellProgress& progress) {
  const std::string name = argument_of(target, "name", "");
  std::vector<SweepStatus> sweeps;
  if (name.empty())
    sweeps = all_sweep_status(reader);
  else if (auto status = sweep_status(reader, name))
    sweeps.push_back(*std::move(status));
  else
    return failure(404, "no sweep named \"" + name + "\"; `ranktide status` lists them");
  for (SweepStatus& status : sweeps)
    if (progress && repeats_something(status)) show_repeats(status, progress());
  return {.body = printed(to_json(sweeps))};
}

ApiResponse answer_trials(const Reader& reader, const Target& target) {
  return {.body = printed(to_json(trials_with_prefix(reader, argument_of(target, "prefix", ""))))};
}

ApiResponse answer_attempts(const Reader& reader, const Target& target) {
  return {.body = printed(to_json(history_of(reader, argument_of(target, "trial", ""))))};
}

ApiResponse answer_log(const Reader& reader, const Target& target) {
  const Lease lease{UnitId{argument_of(target, "unit", "")},
                    static_cast<Attempt>(std::clamp<int64_t>(integer_of(target, "attempt", 1), 0, INT32_MAX))};
  if (!is_sha256_text(lease.unit.text)) throw QueryError("unit is the id that /api/v1/attempts names");
  const LogPart part = read_log(logs_of(reader.data_folder()), lease, integer_of(target, "offset", 0));
  return {.body = printed(to_json(part))};
}

ApiResponse answer_workers(const Reader& reader, const Target&) {
  return {.body = printed(to_json(all_workers(reader)))};
}

ApiResponse answer_standings(const Reader& reader, const Target& target) {
  const Told told = argument_of(target, "settings", "") == "1" ? Told::settings : Told::standing;
  return {.body =
              printed(to_json(trials_after(reader, argument_of(target, "after", ""), kTrialsPerPage, told)))};
}

ApiResponse answer_measured(const Reader& reader, const Target&) {
  return {.body = printed(to_json(measured_trials(reader)))};
}

ApiResponse answer_models(const Reader& reader, const Target& target) {
  const std::string sha256 = argument_of(target, "sha256", "");
  if (!is_sha256_text(sha256)) throw QueryError("sha256 is the 64 hex digits of a base or a tokenizer");
  return {.body = printed(to_json(known_models(reader, sha256)))};
}

ApiResponse answer_source(const Reader& reader, const Target& target) {
  return {.body = printed(to_json(source_with(reader, argument_of(target, "trial", ""))))};
}

ApiResponse answer_spec(const Reader& reader, const Target& target) {
  const std::string name = argument_of(target, "sweep", "");
  const auto submitted = newest_submission(reader, name);
  if (!submitted) return failure(404, "no sweep named \"" + name + "\"; `ranktide status` lists them");
  return {.body = printed(to_json(submitted->spec))};
}

ApiResponse answer_settings(const Reader& reader, const Target& target) {
  const std::string trial = argument_of(target, "trial", "");
  const auto settings = trial_settings(reader, trial);
  if (!settings) return failure(404, "no trial \"" + trial + "\"");
  return {.body = printed(*settings)};
}

ApiResponse answer_report(const Reader& reader, const Target& target, const std::string& version) {
  return {.type = "text/html; charset=utf-8",
          .body = report_html(reader, {.sweep = argument_of(target, "sweep", ""),
                                       .command = "",
                                       .program_version = version,
                                       .select = all_of(target, "select"),
                                       .select_on = argument_of(target, "select_on", ""),
                                       .keeps_tuned = argument_of(target, "tuned", "") == "all"})};
}

// Of a query or a report.
std::string selection_arguments(const auto& request) {
  std::string out;
  for (const auto& selection : request.select) out += "&select=" + percent_encode(selection);
  if (!request.select_on.empty()) out += "&select_on=" + percent_encode(request.select_on);
  return out + (request.keeps_tuned ? "&tuned=all" : "");
}

using Read = ApiResponse (*)(const Reader&, const Target&);

constexpr std::string_view kReport = "/api/v1/report", kSweeps = "/api/v1/sweeps";

const std::map<std::string, Read>& reads() {
  static const std::map<std::string, Read> kReads = {
      {"/api/v1/query", answer_query},       {"/api/v1/trials", answer_trials},
      {"/api/v1/attempts", answer_attempts}, {"/api/v1/log", answer_log},
      {"/api/v1/workers", answer_workers},   {"/api/v1/standings", answer_standings},
      {"/api/v1/measured", answer_measured}, {"/api/v1/models", answer_models},
      {"/api/v1/settings", answer_settings}, {"/api/v1/source", answer_source},
      {"/api/v1/spec", answer_spec}};
  return kReads;
}

}  // namespace

std::string printed(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ApiResponse failure(int status, const std::string& text) {
  return {.status = status, .body = printed(Json{{"error", text}})};
}

std::string argument_of(const Target& target, const std::string& name, const std::string& otherwise) {
  const auto found = target.arguments.find(name);
  return found == target.arguments.end() ? otherwise : found->second;
}

int64_t integer_of(const Target& target, const std::string& name, int64_t otherwise) {
  const std::string text = argument_of(target, name, "");
  int64_t value = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size()))
    throw QueryError(name + " is a whole number, not \"" + text + "\"");
  return value;
}

Target parse_target(const std::string& target) {
  const auto question = target.find('?');
  Target out{.path = percent_decode(target.substr(0, question))};
  if (question == std::string::npos) return out;
  for (size_t begin = question + 1; begin <= target.size();) {
    const size_t end = std::min(target.find('&', begin), target.size());
    const std::string pair = target.substr(begin, end - begin);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty())
      out.arguments.emplace(percent_decode(pair.substr(0, equals)),
                            percent_decode(pair.substr(std::min(equals + 1, pair.size()))));
    begin = end + 1;
  }
  return out;
}

std::string percent_encode(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
    }
  }
  return out;
}

std::string query_target(const QueryRequest& request, const std::string& format) {
  std::string out = "/api/v1/query?format=" + format;
  for (const auto& sweep : request.sweeps) out += "&sweep=" + percent_encode(sweep);
  for (const auto& axis : request.by) out += "&by=" + percent_encode(axis);
  for (const auto& metric : request.metrics) out += "&metric=" + percent_encode(metric);
  if (!request.where.empty()) out += "&where=" + percent_encode(request.where);
  if (request.rows == QueryRows::trials) out += "&rows=trials";
  if (!request.vs.empty()) out += "&vs=" + percent_encode(request.vs);
  return out + selection_arguments(request);
}

std::string report_target(const ReportRequest& request) {
  return "/api/v1/report?sweep=" + percent_encode(request.sweep) + selection_arguments(request);
}

ApiResponse unforeseen(const std::exception& error) {
  spdlog::error("a request was not answered: {}", error.what());
  return failure(500, std::string("the coordinator could not answer: ") + error.what());
}

bool is_readable(const std::string& path) {
  return reads().contains(path) || path == kReport || path == kSweeps || is_artifact_path(path);
}

ApiResponse answer_read(const std::filesystem::path& data_folder, const std::string& text,
                        const std::string& version, std::chrono::milliseconds time, ArtifactHasher* hasher,
                        const TellProgress& progress) {
  try {
    const Target target = parse_target(text);
    if (is_artifact_path(target.path)) return answer_artifact(data_folder, target, hasher);
    if (target.path == kReport) return answer_report(Reader(data_folder, time), target, version);
    if (target.path == kSweeps) return answer_sweeps(Reader(data_folder, time), target, progress);
    const auto read = reads().find(target.path);
    if (read == reads().end()) return failure(404, "nothing is served at " + target.path);
    return read->second(Reader(data_folder, time), target);
  } catch (const SweepNotFound& e) {
    return failure(404, e.what());
  } catch (const QueryError& e) {
    return failure(400, e.what());
  } catch (const StoreError& e) {
    return failure(503, e.what());
  } catch (const std::exception& e) {
    return unforeseen(e);
  }
}

}  // namespace ranktide
