#include "coordinator/edge/http_routes.h"

#include <map>

namespace ranktide {
namespace {

const std::map<std::string, RouteKind>& fixed_routes() {
  static const std::map<std::string, RouteKind> kFixed = {{"/livez", RouteKind::livez},
                                                          {"/readyz", RouteKind::readyz},
                                                          {"/metrics", RouteKind::metrics},
                                                          {"/api/v1/events", RouteKind::events}};
  return kFixed;
}

Route refuse(int status, const std::string& text) {
  return {.refusal = failure(status, text)};
}

Route route_of_get(const std::string& path) {
  if (const auto fixed = fixed_routes().find(path); fixed != fixed_routes().end()) {
    const bool is_public = fixed->second == RouteKind::livez || fixed->second == RouteKind::readyz;
    return {.kind = fixed->second, .scope = is_public ? std::nullopt : std::optional(Scope::read)};
  }
  if (is_readable(path)) return {.kind = RouteKind::read};
  if (find_command(path)) return refuse(405, path + " takes POST");
  return refuse(404, "nothing is served at " + path);
}

Route route_of_post(const std::string& path) {
  if (const auto command = find_command(path))
    return {.kind = RouteKind::command, .scope = command->scope(), .command = *command};
  if (is_readable(path) || fixed_routes().contains(path)) return refuse(405, path + " takes GET");
  return refuse(404, "nothing is served at " + path);
}

}  // namespace

Route route_of(const std::string& method, const std::string& path) {
  if (const auto blob = find_blob_route(method, path))
    return {.kind = RouteKind::blob, .scope = blob->scope(), .blob = *blob};
  if (method == "GET") return route_of_get(path);
  if (method == "POST") return route_of_post(path);
  return refuse(405, "only GET and POST, and PUT of files, are served here");
}

}  // namespace ranktide
