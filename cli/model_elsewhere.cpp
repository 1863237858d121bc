#include "cli/model_elsewhere.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "cli/brought_models.h"
#include "cli/folders.h"
#include "common/content/manifest.h"
#include "common/model/base_identity.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/query_models.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kWeightsEnding = ".safetensors";

struct KnownThere {
  std::vector<KnownModel> models{};
  std::string looked{};
};

KnownThere known_to_coordinator(const ContentName& name, const ContentSources& sources) {
  const auto client = sources.coordinator ? sources.coordinator() : std::nullopt;
  if (!client) return {.looked = "no coordinator was asked"};
  const auto answer = client->get("/api/v1/models?sha256=" + name.sha256);
  if (!answer) return {.looked = "nobody answers at " + client->url()};
  if (answer->status == 404)
    return {.looked = "the coordinator at " + client->url() + " is older and cannot tell"};
  KnownThere out{.models = from_json<std::vector<KnownModel>>(parse_json(body_of(*answer)))};
  if (out.models.empty()) out.looked = "no sweep of the coordinator at " + client->url() + " named it";
  return out;
}

// The same files at another root, or of another sweep, lie here once.
fs::path place_here(const KnownModel& known, const ContentSources& sources) {
  Sha256 all;
  for (const InputFile& file : known.files)
    if (is_model_file(file.path)) all.update(file.path + " " + file.sha256 + "\n");
  return models_brought(cache_folder(sources.data)) / all.hex();
}

// Names and hashes came over the network and become names of files: nothing but kModelFiles is made.
FolderElsewhere brought(const KnownModel& known, const ContentSources& sources, ContentFinder& finder) {
  const fs::path here = place_here(known, sources);
  use_brought(here);
  for (const InputFile& file : known.files) {
    if (!is_sha256_text(file.sha256)) throw std::runtime_error(file.path + ": its hash is none");
    if (is_model_file(file.path)) finder.link({.sha256 = file.sha256, .ending = ""}, here / file.path);
  }
  return {.root = known.root, .here = here, .files = known.files};
}

}  // namespace

bool is_model_file(const std::string& name) {
  return std::find(kModelFiles.begin(), kModelFiles.end(), name) != kModelFiles.end();
}

bool FolderElsewhere::is_same(const FolderElsewhere& other) const {
  return std::equal(
      files.begin(), files.end(), other.files.begin(), other.files.end(),
      [](const InputFile& a, const InputFile& b) { return a.path == b.path && a.sha256 == b.sha256; });
}

BaseId base_made_by(const FolderElsewhere& folder) {
  std::vector<std::pair<fs::path, std::string>> files;
  for (const InputFile& file : folder.files)
    if (file.path.ends_with(kWeightsEnding)) files.emplace_back(file.path, file.sha256);
  std::sort(files.begin(), files.end());
  for (const InputFile& file : folder.files)
    if (file.path == "config.json") files.emplace(files.begin(), file.path, file.sha256);
  return base_id_of(files);
}

FoundElsewhere find_elsewhere(const ContentName& name, const ContentSources& sources) {
  const KnownThere known = known_to_coordinator(name, sources);
  FoundElsewhere out{.looked = known.looked};
  ContentFinder finder(sources);
  for (const KnownModel& model : known.models) {
    try {
      out.folders.push_back(brought(model, sources, finder));
    } catch (const std::runtime_error& error) {
      std::error_code is_not_empty;
      fs::remove(place_here(model, sources), is_not_empty);
      out.looked += fmt::format("{}{} of another machine has it, but {}", out.looked.empty() ? "" : "; ",
                                model.root, error.what());
    }
  }
  limit_brought(models_brought(cache_folder(sources.data)), kModelsBroughtBytesMax, sources.say);
  return out;
}

}  // namespace ranktide::cli
