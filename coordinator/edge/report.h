#pragma once
// A sweep's report: one HTML file that opens from disk, needs no network and no script, and can be printed. Not
// a second source of numbers: it shows the frame that `query` prints, embedded as JSON beside the pictures. Its
// bytes are a function of the database and the request.

#include <string>
#include <vector>

#include "coordinator/edge/reader.h"

namespace ranktide {

struct ReportRequest {
  std::string sweep;
  std::string command;  // what reproduces it, such as "ranktide run sweeps/quickstart.yaml"; empty: not shown
  std::string program_version;
  std::vector<std::string> select{};  // as QueryRequest's
  std::string select_on{};
  bool keeps_tuned = false;
};

// Throws: SweepNotFound naming the sweeps there are; QueryError for a selection that is none.
std::string report_html(const Reader& reader, const ReportRequest& request);

}  // namespace ranktide
