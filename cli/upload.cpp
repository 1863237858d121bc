#include "cli/upload.h"

#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <set>
#include <unistd.h>

#include "cli/exit_codes.h"
#include "cli/terminal.h"
#include "common/vocabulary/hub_name.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

constexpr int64_t kPieceBytes = 512 << 10;

struct There {  // how a file stands at the coordinator
  int64_t here = 0;
  bool is_complete = false;
};

There read_there(const HttpClient& client, const std::optional<HttpAnswer>& answer) {
  if (!answer) throw CommandError(kUnreachable, client.url() + ": nobody answers; the same command goes on");
  const Json said = parse_json(body_of(*answer));
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

void upload(const HttpClient& client, const std::string& path, const FileContent& content,
            const UploadTold& told) {
  const std::string target = "/api/v1/blobs/" + content.sha256;
  There there = read_there(client, client.get(target));
  while (!there.is_complete) {
    const std::string piece = piece_of(path, there.here);
    if (piece.empty() && there.here < content.bytes)
      throw CommandError(kFailed, path + ": became shorter while it was sent; run the command again");
    there = read_there(
        client, client.put(fmt::format("{}?offset={}&total={}", target, there.here, content.bytes), piece));
    told.moved(path, there.here, content.bytes);
  }
}

}  // namespace

UploadTold told_on_terminal(const GlobalOptions& globals) {
  const Terminal terminal = terminal_of(STDERR_FILENO, globals.color);
  const auto say = [quiet = globals.quiet](const std::string& line) {
    if (!quiet) std::cerr << line << "\n";
  };
  const auto moved = [terminal, quiet = globals.quiet](const std::string& path, int64_t here, int64_t total) {
    if (quiet || (!terminal.is_terminal && here < total)) return;
    const std::string line = fmt::format("sending {} {} of {}", path, bytes_text(static_cast<double>(here)),
                                         bytes_text(static_cast<double>(total)));
    std::cerr << (terminal.is_terminal ? "\r\x1b[K" : "") << line << (here < total ? "" : "\n") << std::flush;
  };
  return {.say = say, .moved = moved};
}

void upload_inputs(const HttpClient& client, const Inputs& inputs, int64_t file_bytes_max,
                   const UploadTold& told) {
  std::set<std::string> sent;
  for (const auto& [path, content] : inputs.contents) {
    if (is_hub_text(path) || !sent.insert(content.sha256).second) continue;
    if (content.bytes <= file_bytes_max)
      upload(client, path, content, told);
    else
      told.say(fmt::format(
          "not sent: {} ({} MiB, more than --upload-max); workers must see it at that path, or have "
          "a copy",
          path, content.bytes >> 20));
  }
}

}  // namespace ranktide::cli
