#pragma once
// One setting's value from YAML to the canonical JSON of its type. Ranges and choices are setting_check's.
// Pure functions; no file is opened, a path is only made absolute.

#include <filesystem>
#include <string>

#include "common/sweep/settings.h"
#include "common/sweep/spec_errors.h"
#include "common/sweep/yaml_tree.h"

namespace ranktide {

// Where values are read: errors point into `source`, relative paths start at `folder`.
struct ReadingPlace {
  const SourceText& source;
  std::filesystem::path folder;
  SpecErrors* errors = nullptr;  // where set, a unit that fails is kept there and the reading goes on
};

// Returns: the canonical value. `key` is the name that messages use (an eval's keys have longer ones than the
// table). Throws: SpecError at the node.
Json read_value(const Setting& setting, const std::string& key, const YamlNode& node,
                const ReadingPlace& place);

// Returns: whether a list under this key is one value (betas, data.train) and not an axis.
bool is_list_typed(const Setting& setting);

}  // namespace ranktide
