#pragma once
// An override's text, taken apart: [block:]key=value or ~[block:]key, and its value as a sweep file spells it.
// Knows no settings and no sweep. Pure functions.

#include <string>
#include <vector>

namespace ranktide {

struct Override {
  std::string name;   // as messages call it: override "train.lr=fast"
  std::string block;  // empty: every block
  std::string key;    // as written
  std::string value;
  bool drops = false;
};

// Throws: SpecError for what is no override.
Override override_of(std::string text);

// Throws: SpecError, `override "train.lr=fast": message`.
[[noreturn]] void refuse_override(const Override& o, const std::string& message);

// Returns: the value in the file's own spelling; a list of alternatives, a,b or choice(a,b) or range(0,3),
// becomes the {values: [..]} of an axis whatever the key's type. Throws: SpecError for a function of Hydra's
// that is none here, and for a range that is empty or endless.
std::string yaml_of(const Override& o);

// Returns: the parts of a text between separators, at least one.
std::vector<std::string> split_at(const std::string& text, char separator);

}  // namespace ranktide
