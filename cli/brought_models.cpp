#include "cli/brought_models.h"

#include <fmt/format.h>
#include <map>

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct BroughtFolder {
  fs::path path;
  int64_t bytes = 0;
};

// Files have other names elsewhere, mostly, but those may go first: then they take room here.
int64_t bytes_of_files(const fs::path& folder) {
  int64_t out = 0;
  std::error_code gone;  // with its folder, by another command
  for (auto it = fs::directory_iterator(folder, gone); it != fs::directory_iterator(); it.increment(gone))
    if (it->is_regular_file(gone) && !it->is_symlink(gone)) out += static_cast<int64_t>(it->file_size(gone));
  return out;
}

std::multimap<fs::file_time_type, BroughtFolder> by_last_use(const fs::path& models) {
  std::multimap<fs::file_time_type, BroughtFolder> out;
  std::error_code gone;
  for (auto it = fs::directory_iterator(models, gone); it != fs::directory_iterator(); it.increment(gone)) {
    const auto used = fs::last_write_time(it->path(), gone);
    if (!gone) out.emplace(used, BroughtFolder{it->path(), bytes_of_files(it->path())});
  }
  return out;
}

}  // namespace

void use_brought(const fs::path& folder) {
  fs::create_directories(folder);
  std::error_code not_ours;  // another user's, or read only: it is read all the same
  fs::last_write_time(folder, fs::file_time_type::clock::now(), not_ours);
}

void limit_brought(const fs::path& models, int64_t bytes_max,
                   const std::function<void(const std::string& line)>& say) {
  const auto folders = by_last_use(models);
  int64_t bytes = 0;
  for (const auto& [used, folder] : folders) bytes += folder.bytes;
  const auto still_in_use = fs::file_time_type::clock::now() - kModelsStillInUse;
  for (const auto& [used, folder] : folders) {
    if (bytes <= bytes_max || used > still_in_use) return;
    std::error_code refused;
    fs::remove_all(folder.path, refused);
    if (refused) say(fmt::format("{} cannot be removed: {}", folder.path.string(), refused.message()));
    bytes -= folder.bytes;
  }
}

}  // namespace ranktide::cli
