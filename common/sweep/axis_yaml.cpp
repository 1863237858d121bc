#include "common/sweep/axis_yaml.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/sweep/axis_range.h"
#include "common/sweep/expression.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

const std::vector<std::string_view> kAxisWords{"values", "value", "min", "max", "step", "count", "log", "when"};

SpecError bad(const ReadingPlace& place, const YamlNode& node, const std::string& message) {
  return place.source.error(node, message);
}

AxisPoint written_point(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  const std::string key(setting.key);
  return {.label = label_of(node), .set = {{key, read_value(setting, key, node, place)}}};
}

// [0.9, 0.95] under an axis of which every value is a list: one value was meant, or an axis of one.
void refuse_flat_list(const Setting& setting, const YamlNode& list, const ReadingPlace& place) {
  const bool takes_lists_alone = is_list_typed(setting) && setting.type != SettingType::sources;
  const bool is_flat =
      std::any_of(list.items.begin(), list.items.end(), [](auto& item) { return item.is_scalar(); });
  if (!takes_lists_alone || !is_flat) return;
  const std::string key(setting.key), one = label_of(list);
  read_value(setting, key, list, place);  // throws where it is no value either
  throw bad(place, list,
            key + " takes a list as one value, and these would be several; one value is written " + one +
                (setting.part == SettingPart::training ? ", an axis of such values [" + one + ", ...]" : ""));
}

std::vector<AxisPoint> listed(const Setting& setting, const YamlNode& list, const ReadingPlace& place) {
  if (!list.is_list())
    throw bad(place, list, std::string(setting.key) + ": values takes a list, got " + shown(list));
  if (list.items.empty())
    throw bad(place, list,
              "axis " + std::string(setting.key) +
                  " has no values, so the grid would be empty; give it at least one, or leave the key out");
  checked_axis_size(static_cast<double>(list.items.size()), list, place);
  refuse_flat_list(setting, list, place);
  std::vector<AxisPoint> out;
  std::set<std::string> seen;
  for (const auto& item : list.items) {
    out.push_back(written_point(setting, item, place));
    if (!seen.insert(to_json(out.back().set).dump()).second)
      throw bad(place, item, std::string(setting.key) + " has " + shown(item) + " twice");
  }
  return out;
}

void refuse_column_twice(const std::vector<FlatEntry>& columns, const YamlEntry& zip,
                         const ReadingPlace& place) {
  std::map<std::string, Place> first;
  for (const auto& column : columns) {
    const auto [it, is_new] = first.emplace(column.key, column.entry->at);
    if (!is_new)
      throw place.source.error(*column.entry, "\"" + column.key + "\" is set twice in zip \"" + zip.key +
                                                  "\" (first at line " + std::to_string(it->second.line) + ")");
  }
}

// `list`: the first column's values, beside the points.
void refuse_point_twice(const Axis& zip, const YamlNode& list, const ReadingPlace& place) {
  std::set<std::string> seen;
  for (size_t i = 0; i < zip.points.size(); ++i)
    if (!seen.insert(to_json(zip.points[i].set).dump()).second)
      throw bad(place, list.items[i],
                "zip \"" + zip.name + "\" has " + zip.points[i].label + " twice, so its trials would be equal");
}

void check_words(const YamlNode& node, const ReadingPlace& place) {
  for (const auto& entry : node.entries)
    if (std::find(kAxisWords.begin(), kAxisWords.end(), entry.key) == kAxisWords.end()) {
      std::string remedy = axis_word_remedy(entry.key);
      if (remedy.empty()) remedy = nearest_remedy(entry.key, kAxisWords);
      if (remedy.empty()) remedy = key_remedy(entry.key);
      throw place.source.error(entry, "unknown word \"" + entry.key + "\" in an axis" + remedy);
    }
}

}  // namespace

std::string label_of(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "";
    case YamlNode::Kind::scalar:
      return node.text;
    case YamlNode::Kind::list:
      for (const auto& item : node.items) out += (out.empty() ? "" : ", ") + label_of(item);
      return "[" + out + "]";
    case YamlNode::Kind::map:
      for (const auto& entry : node.entries)
        out += (out.empty() ? "" : ", ") + entry.key + ": " + label_of(entry.value);
      return "{" + out + "}";
  }
  return out;
}

bool spells_axis(const YamlNode& node) {
  const auto has = [&](std::string_view word) { return node.find(word) != nullptr; };
  if (!node.is_map()) return false;
  // In another tool's words it is no axis yet, but is meant as one, and is told so.
  return has("values") || has("value") || has("min") || has("max") || has("log") ||
         std::any_of(node.entries.begin(), node.entries.end(),
                     [](const YamlEntry& entry) { return !axis_word_remedy(entry.key).empty(); });
}

void check_expression(const YamlNode& node, const std::string& what, const ReadingPlace& place) {
  if (!node.is_scalar()) throw bad(place, node, what + " takes an expression, got " + shown(node));
  try {
    parse_expression(node.text);
  } catch (const ExpressionError& e) {
    throw bad(place, node, e.what());
  }
}

bool is_axis_value(const Setting& setting, const YamlNode& node) {
  const bool map_typed = setting.type == SettingType::names || setting.type == SettingType::replay ||
                         setting.type == SettingType::evals;
  if (map_typed) return node.find("values") && node.find("values")->is_list();
  if (spells_axis(node)) return true;
  if (!node.is_list()) return false;
  return !is_list_typed(setting) || (!node.items.empty() && node.items[0].is_list());
}

void refuse_module_list(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  const bool doubtful =
      setting.type == SettingType::modules && node.is_list() && node.items.size() > 1 &&
      std::all_of(node.items.begin(), node.items.end(), [](auto& item) { return is_module(item.text); });
  if (!doubtful) return;
  std::string joined;
  for (const auto& item : node.items) joined += (joined.empty() ? "" : "+") + item.text;
  throw bad(place, node,
            std::string(setting.key) + ": a list of modules can mean two things; write " + joined +
                " for one trial with all of them, or {values: " + label_of(node) + "} for one trial each");
}

std::vector<AxisPoint> read_points(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  if (!is_axis_value(setting, node)) return {written_point(setting, node, place)};
  refuse_module_list(setting, node, place);
  Axis axis = read_axis(setting, node, place);
  if (!axis.when.empty() || axis.drawn)
    throw bad(place, node, axis.name + " takes a value or a list of values here, got a range or a condition");
  return std::move(axis.points);
}

Axis read_axis(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  Axis axis{.name = std::string(setting.key), .points = {}, .when = ""};
  if (node.is_list()) {
    axis.points = listed(setting, node, place);
    return axis;
  }
  if (!node.is_map())
    throw bad(place, node,
              "axis " + axis.name + " takes a list or {values: [...]}, got " + shown(node) +
                  "; a constant is a plain key");
  check_words(node, place);
  if (const YamlNode* when = node.find("when")) {
    check_expression(*when, "when", place);
    axis.when = when->text;
  }
  const YamlNode* values = node.find("values");
  const YamlNode* value = node.find("value");
  const size_t plain_words = axis.when.empty() ? 1 : 2;
  if ((values || value) && node.entries.size() > plain_words)
    throw bad(place, node,
              "axis " + axis.name + ": values and value stand alone, only `when` may be beside them");
  if (values)
    axis.points = listed(setting, *values, place);
  else if (value)
    axis.points = {written_point(setting, *value, place)};
  else if (is_open_range(node))
    axis.drawn = read_open_range(setting, node, place);
  else
    axis.points = read_range(setting, node, place);
  return axis;
}

const Setting& varying_setting(const FlatEntry& flat, const ReadingPlace& place) {
  const Setting* setting = find_setting(flat.key);
  if (!setting) throw place.source.error(*flat.entry, unknown_key(flat.key));
  if (flat.key == "seed")
    throw place.source.error(*flat.entry, "seed is set by seeds; write seeds: 3 or seeds: [1, 2]");
  if (flat.key.starts_with("run."))
    throw place.source.error(*flat.entry, flat.key + " is the whole sweep's; it cannot differ between trials");
  return *setting;
}

std::string unknown_key(const std::string& key, const std::vector<std::string>& more) {
  std::vector<std::string> names = more;
  for (const Setting& setting : settings())  // a section takes a map here
    if (const size_t dot = setting.key.find('.'); dot != std::string_view::npos)
      names.emplace_back(setting.key.substr(0, dot));
  return "unknown key \"" + key + "\"" + key_remedy(key, names);
}

bool is_section(const std::string& key) {
  return std::any_of(settings().begin(), settings().end(),
                     [&](auto& s) { return s.key.starts_with(key + "."); });
}

std::vector<FlatEntry> flattened(const YamlNode& map, const std::string& prefix) {
  std::vector<FlatEntry> out;
  for (const auto& entry : map.entries) {
    const std::string key = prefix + entry.key;
    if (!entry.value.is_map() || !is_section(key)) {
      out.push_back({key, &entry});
      continue;
    }
    const auto inner = flattened(entry.value, key + ".");
    out.insert(out.end(), inner.begin(), inner.end());
  }
  return out;
}

Axis read_zip(const YamlEntry& entry, const ReadingPlace& place) {
  const auto columns = flattened(entry.value);
  if (columns.empty())
    throw bad(place, entry.value,
              "zip \"" + entry.key + "\" takes {key: [..], key: [..]}, got " + shown(entry.value));
  Axis axis{.name = entry.key, .points = {}, .when = ""};
  refuse_column_twice(columns, entry, place);
  for (const auto& column : columns) {
    const Setting& setting = varying_setting(column, place);
    const YamlNode& list = column.entry->value;
    if (!list.is_list()) throw bad(place, list, column.key + " takes a list inside a zip, got " + shown(list));
    checked_axis_size(static_cast<double>(list.items.size()), list, place);
    refuse_flat_list(setting, list, place);
    if (column.entry == columns[0].entry) axis.points.resize(list.items.size());
    if (list.items.size() != axis.points.size())
      throw place.source.error(*columns[0].entry, "zip \"" + entry.key + "\": " + columns[0].key + " has " +
                                                      std::to_string(axis.points.size()) + " values, " +
                                                      column.key + " (line " +
                                                      std::to_string(column.entry->at.line) + ") has " +
                                                      std::to_string(list.items.size()));
    for (size_t i = 0; i < list.items.size(); ++i) {
      AxisPoint next = written_point(setting, list.items[i], place);
      axis.points[i].set.merge(next.set);
      axis.points[i].label += (axis.points[i].label.empty() ? "" : "/") + next.label;
    }
  }
  refuse_point_twice(axis, columns[0].entry->value, place);
  return axis;
}

}  // namespace ranktide
