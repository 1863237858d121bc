#pragma once
// What was brought of models and tokenizers that lie on other machines: a folder each in <cache>/models of the
// data folder, for plans to read. Not how it is brought (model_elsewhere.h). Several commands may share it.
//
// Policy at kModelsBroughtBytesMax: whole folders go, the longest unused first, but none that was used within
// kModelsStillInUse: a command reads it yet. Whoever needs one again brings it again.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace ranktide::cli {

inline constexpr int64_t kModelsBroughtBytesMax = int64_t{2} << 30;
inline constexpr std::chrono::hours kModelsStillInUse{1};

// Returns: where the folders lie.
inline std::filesystem::path models_brought(const std::filesystem::path& cache) {
  return cache / "models";
}

// Makes the folder where it is not there, and notes that it is used now, where this user may.
// Throws: std::filesystem::filesystem_error for a folder that cannot be made.
void use_brought(const std::filesystem::path& folder);

// Carries out the policy in models_brought(). `say` is told what could not be removed.
void limit_brought(const std::filesystem::path& models, int64_t bytes_max,
                   const std::function<void(const std::string& line)>& say);

}  // namespace ranktide::cli
