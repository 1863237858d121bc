#pragma once
// The spellings of an axis in YAML -> Axis: a list, {values}, {min, max, step | count}, {log, count}, {value},
// and the open ranges {min, max} and {log} that a random search draws from; and the two constructs that set
// several keys at once, `rows` and `zip`. Knows no levels and no blocks.

#include <string>

#include "common/sweep/setting_value.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: whether a map spells an axis ({values: ...}, {min: ...}) and not a value.
bool spells_axis(const YamlNode& node);

// Throws: SpecError at the node for what is no expression; names are not looked up. `what` takes it in messages.
void check_expression(const YamlNode& node, const std::string& what, const ReadingPlace& place);

// Returns: whether a list or map under a key is an axis where both an axis and a value may stand: the setting's
// type decides.
bool is_axis_value(const Setting& setting, const YamlNode& node);

// PEFT takes a list of modules as one value; here it would be an axis, so neither is guessed. Throws:
// SpecError.
void refuse_module_list(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

// Returns: the axis of one key. Throws: SpecError at the node.
Axis read_axis(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

// Returns: the points of a value, or of an axis that is none but a list of values. Throws: SpecError.
std::vector<AxisPoint> read_points(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

// Returns: the axis of a `zip` entry: {key: [..], key: [..]}, lists of equal length, values that go together.
Axis read_zip(const YamlEntry& entry, const ReadingPlace& place);

// A key of a map of settings, whether it was written nested or dotted. Outlives: the map outlives it.
struct FlatEntry {
  std::string key;  // full
  const YamlEntry* entry;
};
// Returns: the entries of a map with sections (train: {lr: ..}) opened; other maps stay values.
std::vector<FlatEntry> flattened(const YamlNode& map, const std::string& prefix = "");

// Returns: whether settings stand under this key ("train", "run.retry").
bool is_section(const std::string& key);

// Returns: the message for a key that is none. `more` are names of this file.
std::string unknown_key(const std::string& key, const std::vector<std::string>& more = {});

// Returns: the setting that an axis, row, zip or derivation may set. Throws: SpecError at the entry for unknown
// keys, for run.* and for seed.
const Setting& varying_setting(const FlatEntry& flat, const ReadingPlace& place);

// Returns: how a value reads in a label: as written, lists and maps on one line.
std::string label_of(const YamlNode& node);

}  // namespace ranktide
