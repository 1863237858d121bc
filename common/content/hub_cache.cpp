#include "common/content/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "common/content/manifest.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFolderPrefix = "models--";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

fs::path folder_of(const fs::path& cache, const HubName& name) {
  return cache / (kFolderPrefix + replaced(name.repository, "/", "--"));
}

// A branch or tag is a file with a commit in it; a commit is its own name.
std::string commit_of(const fs::path& folder, const std::string& revision) {
  std::ifstream in(folder / "refs" / revision);
  std::string commit;
  return in >> commit && commit.find('/') == std::string::npos ? commit : revision;
}

}  // namespace

fs::path hub_cache_folder() {
  if (const auto cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const auto home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const auto xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return fs::path(xdg) / "huggingface/hub";
  if (const auto home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache/huggingface/hub";
  return {};
}

std::optional<fs::path> find_snapshot(const fs::path& cache, const HubName& name) {
  const fs::path folder = folder_of(cache, name);
  const fs::path snapshot = folder / "snapshots" / commit_of(folder, name.revision);
  std::error_code absent;
  return fs::is_directory(snapshot, absent) ? std::optional(snapshot) : std::nullopt;
}

std::vector<fs::path> snapshots_of(const fs::path& cache, const HubName& name) {
  std::vector<fs::path> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder_of(cache, name) / "snapshots", absent))
    if (entry.is_directory(absent)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  const auto wanted = find_snapshot(cache, name);
  std::stable_partition(out.begin(), out.end(), [&](const fs::path& path) { return path == wanted; });
  return out;
}

std::optional<HubName> hub_name_of_snapshot(const std::string& path) {
  const size_t begin = path.find(std::string("/") + kFolderPrefix);
  if (begin == std::string::npos) return std::nullopt;
  const std::string rest = path.substr(begin + 1 + std::string_view(kFolderPrefix).size());
  const size_t slash = rest.find('/');
  constexpr std::string_view kSnapshots = "/snapshots/";
  if (slash == std::string::npos || rest.compare(slash, kSnapshots.size(), kSnapshots) != 0)
    return std::nullopt;
  const std::string commit = rest.substr(slash + kSnapshots.size());
  return hub_name_of(std::string(kHubPrefix) + replaced(rest.substr(0, slash), "--", "/") + "@" +
                     commit.substr(0, commit.find('/')));
}

std::string download_command(const HubName& name) {
  return "huggingface-cli download " + name.repository + " --revision " + name.revision;
}

fs::path model_folder(const std::string& path) {
  if (!is_hub_text(path)) return path;
  const auto name = hub_name_of(path);
  if (!name) throw ContentError(path + ": not a name on the hub; write hub:org/name@revision");
  const fs::path cache = hub_cache_folder();
  if (const auto snapshot = find_snapshot(cache, *name)) return *snapshot;
  throw ContentError(to_text(*name) + ": not in the Hugging Face cache " + cache.string() +
                     ", and ranktide downloads nothing; run: " + download_command(*name));
}

}  // namespace ranktide
