#include "cli/content_finder.h"

#include <fmt/format.h>
#include <fstream>

#include "cli/folders.h"
#include "cli/terminal.h"
#include "common/content/manifest.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// A content with an ending lies there under a second name, which takes no room.
int64_t bytes_in(const fs::path& folder) {
  int64_t out = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && !entry.is_symlink() && is_sha256_text(entry.path().filename().string()))
      out += static_cast<int64_t>(entry.file_size());
  return out;
}

std::string fetched_piece(const HttpClient& client, const ContentName& name, int64_t offset) {
  const auto answer = client.get(fmt::format("/api/v1/blobs/{}/content?offset={}", name.sha256, offset));
  if (!answer)
    throw std::runtime_error(
        fmt::format("{}: {} does not answer any more; the same command goes on", to_text(name), client.url()));
  const std::string& piece = body_of(*answer);
  if (piece.empty())
    throw std::runtime_error(
        fmt::format("{}: {} has less of it than it said; try again", to_text(name), client.url()));
  return piece;
}

void take_checked(const ContentName& name, const fs::path& part, const fs::path& target) {
  if (sha256_of_file(part) != name.sha256) {
    fs::remove(part);
    throw std::runtime_error(to_text(name) + ": what came over the network is something else; try again");
  }
  fs::rename(part, target);
}

}  // namespace

ContentFinder::ContentFinder(const ContentSources& sources)
    : sources_(sources), folder_(cache_folder(sources.data) / "content"), hashes_(cache_folder(sources.data)) {}

fs::path ContentFinder::find(const ContentName& name) {
  RT_CHECK(is_sha256_text(name.sha256));  // it becomes a file's name
  fs::create_directories(folder_);
  const fs::path out = folder_ / name.sha256;
  if (!holds(out, name.sha256)) bring(name, out);
  return out;
}

void ContentFinder::link(const ContentName& name, const fs::path& target) {
  if (holds(target, name.sha256)) return;
  const fs::path bytes = find(name);
  fs::create_directories(target.parent_path());
  fs::remove(target);
  link_file(bytes, target);
}

bool ContentFinder::holds(const fs::path& file, const std::string& sha256) {
  return fs::is_regular_file(file) && hashes_.sha256_of(file) == sha256;
}

void ContentFinder::bring(const ContentName& name, const fs::path& target) {
  fs::remove(target);  // another content, or a link whose file has gone
  if (hashes_.link_known(name.sha256, target)) return;
  const fs::path kept = kept_file(sources_.data, name.sha256);
  std::error_code not_ours;
  if (fs::is_regular_file(kept, not_ours) && hashes_.sha256_of(kept) == name.sha256)
    return link_file(kept, target);
  fetch(name, target);
}

void ContentFinder::fetch(const ContentName& name, const fs::path& target) {
  const std::string looked =
      fmt::format("{}: no file that was hashed on this machine has this content, {} has no copy", to_text(name),
                  folder_.string());
  const std::string remedy = fmt::format(
      "submit a sweep with its path once, where it is, which sends it to the coordinator; or copy "
      "it to {}",
      target.string());
  const auto client = sources_.coordinator ? sources_.coordinator() : std::nullopt;
  if (!client) throw std::runtime_error(fmt::format("{}, and no coordinator was asked; {}", looked, remedy));
  const auto standing = client->get("/api/v1/blobs/" + name.sha256);
  if (!standing)
    throw std::runtime_error(fmt::format("{}, and nobody answers at {}; {}", looked, client->url(), remedy));
  const Json said = parse_json(body_of(*standing));
  if (!said.value("is_complete", false))
    throw std::runtime_error(
        fmt::format("{}, and the coordinator at {} has none either; {}", looked, client->url(), remedy));
  fetch_from(*client, name, said.value("here", int64_t{0}), target);
}

void ContentFinder::fetch_from(const HttpClient& client, const ContentName& name, int64_t total,
                               const fs::path& target) {
  if (bytes_in(folder_) + total > kContentBytesMax)
    throw std::runtime_error(fmt::format(
        "{}: {} holds {} of files named by content, and more than {} are not kept; delete there what is not "
        "needed any more",
        to_text(name), folder_.string(), bytes_text(static_cast<double>(bytes_in(folder_))),
        bytes_text(static_cast<double>(kContentBytesMax))));
  sources_.say(fmt::format("fetching {} ({}) from {}", to_text(name), bytes_text(static_cast<double>(total)),
                           client.url()));
  const fs::path part = target.string() + ".part";  // a cut fetch goes on where it was
  std::error_code absent;
  auto here = static_cast<int64_t>(fs::file_size(part, absent));
  if (absent || here > total) here = 0;
  std::ofstream out(part, std::ios::binary | (here > 0 ? std::ios::app : std::ios::trunc));
  while (here < total) {
    const std::string piece = fetched_piece(client, name, here);
    out << piece;
    here += static_cast<int64_t>(piece.size());
  }
  out.close();
  if (!out) throw std::runtime_error(part.string() + ": cannot be written; is there room on the disk?");
  take_checked(name, part, target);
}

}  // namespace ranktide::cli
