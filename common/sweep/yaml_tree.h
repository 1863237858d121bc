#pragma once
// A strict YAML subset as a tree with places: what the sweep reader walks. Not settings and not types: a scalar
// is its text. One streaming pass enforces every limit, so hostile input costs neither time nor memory.
// Refused: anchors, aliases, tags, merge keys, duplicate keys, several documents, invalid UTF-8, NUL.

#include <string>
#include <string_view>
#include <vector>

#include "common/sweep/spec_errors.h"

namespace ranktide {

inline constexpr size_t kYamlBytesMax = 1 << 20;
inline constexpr size_t kYamlScalarBytesMax = 64 << 10;
inline constexpr size_t kYamlNodesMax = 200'000;
inline constexpr size_t kYamlKeysMax = 2'000;  // of one map
inline constexpr size_t kYamlDepthMax = 32;

struct YamlEntry;

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;     // of a scalar
  bool quoted = false;  // "1e-4" is a text, 1e-4 a number
  Place at;
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in file order, keys distinct

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_list() const { return kind == Kind::list; }
  bool is_map() const { return kind == Kind::map; }
  // Returns: the value under a key; nullptr when absent.
  const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  Place at;  // of the key
  YamlNode value;
};

// A text and the name it has in messages; makes the errors that point into it. Outlives: the trees made from it
// do not refer to it.
class SourceText {
 public:
  SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {}
  // Returns: a source whose errors give the name alone, for a text that has no lines (an override).
  static SourceText without_lines(std::string name, std::string text);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  // Returns: file:line:column, as messages begin.
  std::string where(Place at) const;
  // Returns: an error with the source line and `width` carets under it; without either where `at` is no place.
  SpecError error(Place at, const std::string& message, size_t width = 1) const;
  SpecError error(const YamlNode& node, const std::string& message) const;
  SpecError error(const YamlEntry& entry, const std::string& message) const;

 private:
  std::string name_;
  std::string text_;
  bool has_lines_ = true;
};

// A key that a map has twice is added to `errors` where there are some, and its first value counts.
// Throws: SpecError for anything else that is not one document within the limits.
YamlNode parse_yaml(const SourceText& source, SpecErrors* errors = nullptr);

// Returns: how a message quotes a node: `"fast"`, `16.0`, `a list`, `a map`, `nothing`.
std::string shown(const YamlNode& node);

}  // namespace ranktide
