#pragma once
// A sweep file's text -> SweepSpec. Strict: an unknown, misspelt, repeated or ineffective key is an error with
// file:line:column and a remedy; nothing is half accepted, a construct that is not built is refused by name.
// All that can be told to be wrong is told in one SpecError (SpecError::each). yaml-cpp stays inside
// yaml_tree.cpp. Bounded in time and memory for any input (limits in yaml_tree.h).

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/sweep/key_origin.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

inline constexpr const char* kStandardInput = "-";

// Reads a file and applies overrides (overrides.h), in order. Relative paths are relative to the file's folder,
// those of kStandardInput to the working folder. Throws: SpecError, also when the file cannot be read.
// A grid of more than `max_trials` is refused before it is expanded.
SweepSpec read_sweep(const std::filesystem::path& file, const std::vector<std::string>& overrides = {},
                     int64_t max_trials = kTrialsMaxDefault);

// The same from text. `name_for_messages` stands where the file's name would.
SweepSpec parse_sweep(std::string_view text, const std::string& name_for_messages,
                      const std::filesystem::path& base_folder, const std::vector<std::string>& overrides = {},
                      int64_t max_trials = kTrialsMaxDefault);

// What sets a key in each block of a sweep (key_origin.h), the last part of a key being enough.
// Throws: as read_sweep, and SpecError for a key that is none.
std::vector<KeyOrigins> origins_in_sweep(const std::filesystem::path& file,
                                         const std::vector<std::string>& overrides, int64_t max_trials,
                                         const std::string& key);

}  // namespace ranktide
