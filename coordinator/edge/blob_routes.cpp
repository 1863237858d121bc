#include "coordinator/edge/blob_routes.h"

#include <charconv>
#include <spdlog/spdlog.h>
#include <utility>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr std::string_view kFolder = "/api/v1/blobs/";
constexpr std::string_view kContent = "/content";
constexpr size_t kPieceBytesMax = 1 << 20;

int64_t number(const Target& target, const std::string& name, const std::string& otherwise) {
  const std::string text = argument_of(target, name, otherwise);
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || out < 0)
    throw BlobError(BlobFault::malformed, name + "=" + text + " is not a number of bytes");
  return out;
}

int status_of(BlobFault fault) {
  switch (fault) {
    case BlobFault::malformed:
      return 400;
    case BlobFault::too_large:
      return 413;
    case BlobFault::wrong_content:
      return 422;
    case BlobFault::full:
      return 507;
  }
  return 500;
}

ApiResponse said(const BlobStore::Standing& now) {
  return {.body = Json{{"here", now.here}, {"is_complete", now.is_complete}}.dump()};
}

ApiResponse put(BlobStore& store, const BlobRoute& route, const Target& target, const std::string& body) {
  return said(store.append(route.sha256, number(target, "total", ""), number(target, "offset", ""), body));
}

ApiResponse get(BlobStore& store, const BlobRoute& route, const Target& target) {
  auto piece = store.read(route.sha256, number(target, "offset", "0"), kPieceBytesMax);
  if (!piece) return failure(404, "there is no such file here: " + route.sha256);
  return {.type = "application/octet-stream", .body = std::move(piece->bytes)};
}

}  // namespace

std::optional<BlobRoute> find_blob_route(const std::string& method, const std::string& path) {
  if (!path.starts_with(kFolder)) return std::nullopt;
  const std::string rest = path.substr(kFolder.size());
  if (method == "PUT") return BlobRoute{.sha256 = rest, .act = BlobRoute::Act::put};
  if (method != "GET") return std::nullopt;
  if (!rest.ends_with(kContent)) return BlobRoute{.sha256 = rest};
  return BlobRoute{.sha256 = rest.substr(0, rest.size() - kContent.size()), .act = BlobRoute::Act::get};
}

ApiResponse answer_blob(BlobStore& store, const BlobRoute& route, const Target& target,
                        const std::string& body) {
  try {
    switch (route.act) {
      case BlobRoute::Act::ask:
        return said(store.standing(route.sha256));
      case BlobRoute::Act::put:
        return put(store, route, target, body);
      case BlobRoute::Act::get:
        return get(store, route, target);
    }
  } catch (const BlobError& error) {
    return failure(status_of(error.fault), error.what());
  } catch (const std::runtime_error& error) {  // the disk
    spdlog::error("{}", error.what());
    return failure(500, "the coordinator's disk refused it; its log says why");
  }
  return failure(500, "not answered");
}

}  // namespace ranktide
