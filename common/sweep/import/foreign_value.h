#pragma once
// One setting of another tool in our words: its key, and its value as ours is written. Knows the names and the
// values of Hugging Face's trainer, PEFT, axolotl and what scripts commonly call things. Pure functions.

#include <optional>
#include <string>
#include <variant>

#include "common/sweep/yaml_tree.h"

namespace ranktide {

struct Twin {  // a key and a value of ours
  std::string key;
  std::string value;
  std::string note;  // what is not quite the same; empty: nothing
};
struct NoTwin {
  std::string why;
};
struct SameHere {};  // it asks for nothing, or for what is so in any case

using Translation = std::variant<Twin, NoTwin, SameHere>;

// Returns: our key (or `seeds`) for a word or a dotted path of theirs; nullopt when there is none.
std::optional<std::string> twin_key(const std::string& path);

// Returns: a setting of theirs in our words.
Translation translated(const std::string& path, const YamlNode& value);

// Returns: why a word of theirs has no twin.
std::string why_without_twin(const std::string& path);

// Returns: the last part of a dotted path, or the one before where the last says nothing (`optimizer.name`).
std::string telling_part(const std::string& path);

}  // namespace ranktide
