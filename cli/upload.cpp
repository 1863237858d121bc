#include "cli/upload.h"

#include <fmt/format.h>
#include <fstream>
#include <set>

#include "cli/exit_codes.h"
#include "cli/model_elsewhere.h"
#include "common/content/hub_cache.h"
#include "common/vocabulary/hub_name.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

constexpr int64_t kPieceBytes = 512 << 10;
constexpr int kCutsMax = 5;  // in a row, of one that answers otherwise

struct There {  // how a file stands at the coordinator
  int64_t here = 0;
  bool is_complete = false;
};

There there_of(const HttpAnswer& answer) {
  const Json said = parse_json(body_of(answer));
  return {.here = said.value("here", int64_t{0}), .is_complete = said.value("is_complete", false)};
}

std::string piece_of(const std::string& path, int64_t offset) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(offset);
  std::string out(static_cast<size_t>(kPieceBytes), '\0');
  in.read(out.data(), kPieceBytes);
  out.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) throw CommandError(kFailed, path + ": cannot be read any more");
  return out;
}

// A piece whose answer was lost may have arrived: the coordinator says where to go on.
void upload(PatientClient& client, const std::string& path, const FileContent& content,
            const TransferTold& told) {
  const std::string target = "/api/v1/blobs/" + content.sha256;
  There there = there_of(client.get(target).value());
  for (int cuts = 0; !there.is_complete;) {
    const std::string piece = piece_of(path, there.here);
    if (piece.empty() && there.here < content.bytes)
      throw CommandError(kFailed, path + ": became shorter while it was sent; run the command again");
    const std::string place = fmt::format("{}?offset={}&total={}", target, there.here, content.bytes);
    const auto answer = client.ask_once([&](const HttpClient& asked) { return asked.put(place, piece); });
    cuts = answer ? 0 : cuts + 1;
    if (cuts == kCutsMax)
      throw CommandError(kUnreachable, client.url() + ": answers, but takes no piece of " + path +
                                           "; is there a proxy that cuts uploads? The same command goes on");
    there = there_of(answer ? *answer : client.get(target).value());
    told.moved(path, there.here, content.bytes);
  }
}

// Of a model of the hub what is not its weights is sent all the same: clients that have none of it plan with
// that (model_elsewhere.h).
bool is_for_workers_to_have(const std::string& path) {
  return is_hub_text(path) && !is_model_file(path.substr(path.rfind('/') + 1));
}

std::string place_of_input(const std::string& path) {
  if (!is_hub_text(path)) return path;
  const size_t slash = path.rfind('/');
  return (model_folder(path.substr(0, slash)) / path.substr(slash + 1)).string();
}

void name_if_missing(PatientClient& client, const std::string& path, const FileContent& content,
                     const TransferTold& told) {
  if (there_of(client.get("/api/v1/blobs/" + content.sha256).value()).is_complete) return;
  told.say(
      fmt::format("not sent: {} ({} MiB) is not on this machine, and the coordinator has no copy; workers must "
                  "see it at that "
                  "path, or have a copy",
                  path, content.bytes >> 20));
}

}  // namespace

void upload_inputs(PatientClient& client, const Inputs& inputs, const std::set<std::string>& elsewhere,
                   int64_t file_bytes_max, const TransferTold& told) {
  std::set<std::string> sent;
  for (const auto& [path, content] : inputs.contents) {
    const bool is_elsewhere = elsewhere.contains(path);
    if (is_elsewhere || is_for_workers_to_have(path) || !sent.insert(content.sha256).second) continue;
    if (content.bytes <= file_bytes_max)
      upload(client, place_of_input(path), content, told);
    else
      told.say(fmt::format(
          "not sent: {} ({} MiB, more than --upload-max); workers must see it at that path, or have "
          "a copy",
          path, content.bytes >> 20));
  }
  // Last: another path here may have had the same content.
  for (const auto& [path, content] : inputs.contents)
    if (elsewhere.contains(path) && !is_for_workers_to_have(path) && sent.insert(content.sha256).second)
      name_if_missing(client, path, content, told);
}

}  // namespace ranktide::cli
