#pragma once
// YAML nodes as text of one line: how values are quoted in comments and written into our files.

#include <string>

#include "common/sweep/yaml_tree.h"

namespace ranktide {

// Returns: the node as it can stand in a list or map of one line, read back as the same: "a: b" keeps its
// quotes.
std::string flow_text(const YamlNode& node);

// Returns: a text as such a value.
std::string flow_text(const std::string& text);

// Returns: the tree of a text of one line; throws SpecError for what is no YAML.
YamlNode flow_node(const std::string& text);

}  // namespace ranktide
