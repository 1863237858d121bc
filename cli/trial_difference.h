#pragma once
// In which settings two trials differ, by what makes their ids: models, tokenizers and data by content, where
// it is known, and by path only where that is another. Pure functions.

#include <string>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {

struct SettingPair {
  std::string key;  // content.* for what paths lead to
  Json a, b;        // null: has no effect there
};

// `a`, `b`: settings by full key, with `content` where a coordinator tells it (query_settings.h).
// Returns: by key.
std::vector<SettingPair> differing_settings(Json a, Json b);

// Returns: for a table; of a hash twelve digits.
std::string shown_value(const SettingPair& pair, const Json& value);

}  // namespace ranktide::cli
