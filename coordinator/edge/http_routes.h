#pragma once
// Which part of the API a request is for, and the scope that its token needs. Pure.
//   GET /livez, /readyz     health, no token       GET /metrics          Prometheus text
//   GET /api/v1/events      changes as a stream    GET /api/v1/...       reads (api.h)
//   POST /api/v1/...        commands (api_commands.h)
//   GET, PUT /api/v1/blobs/...    files by hash (blob_routes.h)

#include <optional>
#include <string>

#include "coordinator/edge/api_commands.h"
#include "coordinator/edge/blob_routes.h"

namespace ranktide {

enum class RouteKind { livez, readyz, metrics, events, read, command, blob, nothing };

struct Route {
  RouteKind kind = RouteKind::nothing;
  std::optional<Scope> scope = Scope::read;  // absent: for everybody
  CommandTarget command{};                   // of kind command
  BlobRoute blob{};                          // of kind blob
  ApiResponse refusal{};                     // of kind nothing: 404 or 405
};

// Requires: `path` is percent-decoded.
Route route_of(const std::string& method, const std::string& path);

}  // namespace ranktide
