#pragma once
// The identity of a base model: what is hashed is content, so a copied or moved folder is the same base.

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/model/model_error.h"
#include "common/vocabulary/ids.h"

namespace ranktide {

// Returns: SHA-256 over the names and hashes of config.json and every weight file.
// Reads every byte: about a second per few hundred MB. Throws: ModelError when a file is missing or unreadable.
BaseId base_id_of(const std::filesystem::path& folder);
// The same out of the hash of each file, for whoever knows them already.
BaseId base_id_of(const std::filesystem::path& folder,
                  const std::function<std::string(const std::filesystem::path&)>& sha256_of);
// The same of files that may lie anywhere, by name and SHA-256: config.json, then the weight files by name.
BaseId base_id_of(const std::vector<std::pair<std::filesystem::path, std::string>>& files);

}  // namespace ranktide
