#include "common/sweep/include_yaml.h"

#include "common/sweep/axis_yaml.h"
#include "common/sweep/setting_check.h"

namespace ranktide {
namespace {

// A full key for a key or its unique last part; the name itself for rows and zips.
std::string included_name(const FlatEntry& flat, const ReadingPlace& place) {
  if (const auto key = full_key(flat.key)) {
    const FlatEntry full{.key = *key, .entry = flat.entry};
    return std::string(varying_setting(full, place).key);
  }
  if (!is_name(flat.key)) throw place.source.error(*flat.entry, unknown_key(flat.key));
  return flat.key;
}

std::vector<AxisPoint> labels_in(const YamlNode& node, const std::string& name, const ReadingPlace& place) {
  std::vector<AxisPoint> out;
  for (const auto& item : node.is_list() ? node.items : std::vector<YamlNode>{node}) {
    if (!item.is_scalar()) throw place.source.error(item, name + " takes a label, got " + shown(item));
    out.push_back({.label = item.text, .set = {}});
  }
  if (out.empty())
    throw place.source.error(node, name + " takes a label or a list of labels, got an empty list");
  return out;
}

}  // namespace

IncludeEntry read_include_entry(const YamlNode& node, const ReadingPlace& place) {
  if (!node.is_map() || node.entries.empty())
    throw place.source.error(
        node, "include takes maps with a value for each axis of a block, got " + shown(node) +
                  (node.is_scalar() ? "; an expression picks among cells that are there: to keep "
                                      "some of them, narrow the exclude rule instead"
                                    : ""));
  IncludeEntry out{.choices = {}, .at = node.at, .where = place.source.where(node.at)};
  size_t cells = 1;
  for (const auto& flat : flattened(node)) {
    const std::string name = included_name(flat, place);
    const YamlNode& value = flat.entry->value;
    const Setting* setting = find_setting(name);
    auto points = setting ? read_points(*setting, value, place) : labels_in(value, name, place);
    cells *= points.size();
    if (cells > kIncludedCellsMax)
      throw place.source.error(node, "an include entry gives at most 10,000 cells; make these a block");
    if (!out.choices.emplace(name, std::move(points)).second)
      throw place.source.error(*flat.entry, "\"" + name + "\" is named twice in one include entry");
  }
  return out;
}

}  // namespace ranktide
