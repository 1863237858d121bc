#pragma once
// /metrics: what a coordinator counts, as Prometheus text 0.0.4. Names are stable; no label per trial, sweep or
// file, so that the number of series stays small. Pure: everything is measured elsewhere.

#include <cstdint>
#include <map>
#include <string>

#include "common/vocabulary/time.h"
#include "coordinator/edge/api_health.h"
#include "coordinator/edge/live_picture.h"
#include "coordinator/edge/refusal_counts.h"

namespace ranktide {

struct HttpCounts {
  std::map<std::string, uint64_t> refusals;  // tokens refused, by reason
  size_t streams = 0;                        // clients of /api/v1/events
};

// What is told, besides the picture.
struct MetricsInput {
  std::string version;
  LivePicture picture;
  FolderRoom room;
  HttpCounts http;
  RefusalCounts doors{};  // for new workers, and for files
  int64_t open_descriptors = 0;
  Instant now{};  // on the clock of the picture's instants
};

std::string metrics_text(const MetricsInput& input);

// Returns: descriptors that this process has open.
int64_t count_open_descriptors();

}  // namespace ranktide
