#include "cli/named_content.h"

#include <array>
#include <fmt/format.h>
#include <fstream>
#include <map>

#include "cli/folders.h"
#include "cli/terminal.h"
#include "common/content/hash_cache.h"
#include "common/content/manifest.h"
#include "common/text/data_files.h"
#include "common/vocabulary/content_name.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr size_t kBeginningBytes = 4096;  // tells rows from text
constexpr std::array kSettingsWithData{"data.train", "data.replay", "eval.learn", "eval.retain"};

using OnName = std::function<void(std::string& text)>;

// A source is {path, weight} or {path, share}, an eval {data, ...}.
void each_name_in(Json& value, const OnName& on_name) {
  for (const char* key : {"path", "data"})
    if (value.is_object() && value.contains(key) && value[key].is_string() &&
        is_content_text(value[key].get_ref<const std::string&>()))
      on_name(value[key].get_ref<std::string&>());
  for (Json& part : value)
    if (part.is_structured()) each_name_in(part, on_name);
}

void each_name_in(SettingValues& set, const OnName& on_name) {
  for (const char* key : kSettingsWithData)
    if (const auto found = set.find(key); found != set.end()) each_name_in(found->second, on_name);
}

void each_name_in(SweepSpec& spec, const OnName& on_name) {
  for (Block& block : spec.blocks) {
    each_name_in(block.constants, on_name);
    for (Axis& axis : block.axes)
      for (AxisPoint& point : axis.points) each_name_in(point.set, on_name);
  }
}

std::string beginning_of(const fs::path& file) {
  std::string out(kBeginningBytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

// A content with an ending lies there under a second name, which takes no room.
int64_t bytes_in(const fs::path& folder) {
  int64_t out = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && !entry.is_symlink() && is_sha256_text(entry.path().filename().string()))
      out += static_cast<int64_t>(entry.file_size());
  return out;
}

class Finder {
 public:
  explicit Finder(const ContentSources& sources)
      : sources_(sources),
        folder_(cache_folder(sources.data) / "content"),
        hashes_(cache_folder(sources.data)) {}

  // Throws: std::runtime_error with where it was looked for.
  fs::path find(const ContentName& name) {
    fs::create_directories(folder_);
    const fs::path bytes = folder_ / name.sha256;
    if (!holds(bytes, name.sha256)) bring(name, bytes);
    const bool is_rows = kind_of_content(beginning_of(bytes)) == FileKind::json_rows;
    const std::string ending = !name.ending.empty() ? name.ending : is_rows ? ".jsonl" : ".txt";
    const fs::path out = bytes.string() + ending;
    (void)kind_of(out);  // says what endings there are
    if (!holds(out, name.sha256)) {
      fs::remove(out);
      link_file(bytes, out);
    }
    return out;
  }

 private:
  bool holds(const fs::path& file, const std::string& sha256) {
    return fs::is_regular_file(file) && hashes_.sha256_of(file) == sha256;
  }

  void bring(const ContentName& name, const fs::path& target) {
    fs::remove(target);  // another content, or a link whose file has gone
    if (hashes_.link_known(name.sha256, target)) return;
    const fs::path kept = kept_file(sources_.data, name.sha256);
    std::error_code not_ours;
    if (fs::is_regular_file(kept, not_ours) && hashes_.sha256_of(kept) == name.sha256)
      return link_file(kept, target);
    fetch(name, target);
  }

  void fetch(const ContentName& name, const fs::path& target) {
    const std::string looked =
        fmt::format("{}: no file that was hashed on this machine has this content, {} has no copy",
                    to_text(name), folder_.string());
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

  void fetch_from(const HttpClient& client, const ContentName& name, int64_t total, const fs::path& target) {
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
      const std::string piece = piece_of(client, name, here);
      out << piece;
      here += static_cast<int64_t>(piece.size());
    }
    out.close();
    if (!out) throw std::runtime_error(part.string() + ": cannot be written; is there room on the disk?");
    take(name, part, target);
  }

  static std::string piece_of(const HttpClient& client, const ContentName& name, int64_t offset) {
    const auto answer = client.get(fmt::format("/api/v1/blobs/{}/content?offset={}", name.sha256, offset));
    if (!answer)
      throw std::runtime_error(fmt::format("{}: {} does not answer any more; the same command goes on",
                                           to_text(name), client.url()));
    const std::string& piece = body_of(*answer);
    if (piece.empty())
      throw std::runtime_error(
          fmt::format("{}: {} has less of it than it said; try again", to_text(name), client.url()));
    return piece;
  }

  static void take(const ContentName& name, const fs::path& part, const fs::path& target) {
    if (sha256_of_file(part) != name.sha256) {
      fs::remove(part);
      throw std::runtime_error(to_text(name) + ": what came over the network is something else; try again");
    }
    fs::rename(part, target);
  }

  const ContentSources& sources_;
  fs::path folder_;
  HashCache hashes_;
};

}  // namespace

std::vector<std::string> place_named_content(SweepSpec& spec, const ContentSources& sources) {
  std::map<std::string, std::string> places;
  each_name_in(spec, [&](std::string& text) { places[text]; });
  if (places.empty()) return {};
  std::vector<std::string> nowhere;
  Finder finder(sources);
  for (auto& [text, place] : places) {
    const auto name = content_name_of(text);
    if (!name) throw SpecError(text + ": not sha256: and 64 hex digits");
    try {
      place = finder.find(*name).string();
    } catch (const std::runtime_error& error) {
      nowhere.emplace_back(error.what());
    }
  }
  each_name_in(spec, [&](std::string& text) {
    if (const std::string& place = places.at(text); !place.empty()) text = place;
  });
  return nowhere;
}

}  // namespace ranktide::cli
