#include "common/model/base_identity.h"

#include "common/model/safetensors.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {

BaseId base_id_of(const std::filesystem::path& folder) {
  return base_id_of(folder, sha256_of_file);
}

BaseId base_id_of(const std::filesystem::path& folder,
                  const std::function<std::string(const std::filesystem::path&)>& sha256_of) {
  auto paths = weight_paths(folder);
  paths.insert(paths.begin(), folder / "config.json");
  std::vector<std::pair<std::filesystem::path, std::string>> files;
  for (const auto& path : paths) {
    if (!std::filesystem::exists(path))
      throw ModelError(path.string() + ": missing; it belongs to the model folder");
    files.emplace_back(path, sha256_of(path));
  }
  return base_id_of(files);
}

BaseId base_id_of(const std::vector<std::pair<std::filesystem::path, std::string>>& files) {
  Sha256 all;
  for (const auto& [path, sha256] : files) all.update(path.filename().string() + " " + sha256 + "\n");
  return BaseId{all.hex()};
}

}  // namespace ranktide
