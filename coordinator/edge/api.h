#pragma once
// What HTTP answers to reads, without HTTP: a request's target in, status and body out, over a reader of its
// own. The same reads that the command line does on the file when no coordinator holds it.
//   GET /api/v1/query?sweep=&by=&where=&metric=&rows=&format=   query.h's frame as text in that format
//   GET /api/v1/sweeps[?name=]                          status of one or all sweeps, JSON
//   GET /api/v1/trials?prefix=                          full ids that start so, JSON
//   GET /api/v1/attempts?trial=                         attempts at a trial's stage, JSON
//   GET /api/v1/log?unit=&attempt=&offset=              a part of what a trainer printed (log_shelf.h), JSON
//   GET /api/v1/workers                                 workers, their slots and what runs on them, JSON
//   GET /api/v1/report?sweep=                           the sweep's page (report.h), HTML to be saved
//   GET /api/v1/standings?after=&settings=              what trials came to (query_past.h), a page by id, JSON
//   GET /api/v1/measured                                trainings as measurements, JSON
//   GET /api/v1/models?sha256=                          folders with that content (query_models.h), JSON
//   GET /api/v1/source?trial=                           what a trial starts from (query_source.h), JSON
//   GET /api/v1/artifacts/TRIAL[/FILE?offset=]          what trials left (artifact_routes.h)
// Not who may ask (http_access.h), not commands (api_commands.h), not health (api_health.h). Pure but for the
// reads; any thread. Errors are JSON {"error": text} with 400, 404 or 503.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordinator/edge/query.h"
#include "coordinator/edge/query_status.h"
#include "coordinator/edge/report.h"

namespace ranktide {

struct ApiResponse {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  int retry_after_s = 0;  // told in Retry-After; 0: nothing is
};
// Returns: a body. Bytes that are no UTF-8, as an older database may hold them, become U+FFFD.
std::string printed(const Json& json);
// Returns: the answer that says what is wrong.
ApiResponse failure(int status, const std::string& text);
// Returns: 500, and logs it: for what only a defect or a broken disk throws. One request ends, not the service.
ApiResponse unforeseen(const std::exception& error);

// Returns: whether answer_read() knows this path.
bool is_readable(const std::string& path);
// How long one answer may read from the database; under the time that clients wait in silence (http_client.h).
constexpr std::chrono::milliseconds kReadTime = std::chrono::seconds{30};
class ArtifactHasher;
using TellProgress = std::function<std::vector<Progress>()>;
// version: of this program, for reports. hasher: artifact_routes.h's. progress: of what runs, where a
// coordinator answers.
ApiResponse answer_read(const std::filesystem::path& data_folder, const std::string& target,
                        const std::string& version = "", std::chrono::milliseconds time = kReadTime,
                        ArtifactHasher* hasher = nullptr, const TellProgress& progress = {});

// A target's parts, percent-decoded; a name may repeat. Throws: QueryError for a broken escape.
struct Target {
  std::string path;
  std::multimap<std::string, std::string> arguments;
};
Target parse_target(const std::string& target);
// Returns: the first argument of that name, or `otherwise`.
std::string argument_of(const Target& target, const std::string& name, const std::string& otherwise);
// The same of a whole number. Throws: QueryError for what is none.
int64_t integer_of(const Target& target, const std::string& name, int64_t otherwise);
// Returns: the text with everything but letters, digits and -._~ escaped.
std::string percent_encode(const std::string& text);

// Returns: the target that asks for this; the inverse of what answer_read reads.
std::string query_target(const QueryRequest& request, const std::string& format);
std::string report_target(const ReportRequest& request);

}  // namespace ranktide
