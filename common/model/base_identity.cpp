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
  Sha256 all;
  for (const auto& path : paths) {
    if (!std::filesystem::exists(path))
      throw ModelError(path.string() + ": missing; it belongs to the model folder");
    all.update(path.filename().string() + " " + sha256_of(path) + "\n");
  }
  return BaseId{all.hex()};
}

}  // namespace ranktide
