#pragma once
// What HTTP answers, without HTTP: a request's method and target in, status and body out, over a reader of its
// own. The same reads that the command line does on the file when no coordinator holds it.
//   GET /livez                                          ok
//   GET /api/v1/query?sweep=&by=&where=&metric=&rows=&format=   query.h's frame as text in that format
//   GET /api/v1/sweeps[?name=]                          status of one or all sweeps, JSON
//   GET /api/v1/trials?prefix=                          full ids that start so, JSON
//   GET /api/v1/attempts?trial=                         attempts at a trial's stage, JSON
// Pure but for the reads; any thread. Errors are JSON {"error": text} with 400, 404 or 405.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "coordinator/edge/query.h"
#include "coordinator/edge/query_status.h"

namespace ranktide {

struct ApiResponse {
  int status = 200;
  std::string type = "application/json";
  std::string body;
};

ApiResponse answer_request(const std::filesystem::path& data_folder, const std::string& method,
                           const std::string& target);

// A target's parts, percent-decoded; a name may repeat. Throws: QueryError for a broken escape.
struct Target {
  std::string path;
  std::multimap<std::string, std::string> arguments;
};
Target parse_target(const std::string& target);
// Returns: the text with everything but letters, digits and -._~ escaped.
std::string percent_encode(const std::string& text);

// Returns: the target that asks for this; the inverse of what answer_request reads.
std::string query_target(const QueryRequest& request, const std::string& format);

}  // namespace ranktide
