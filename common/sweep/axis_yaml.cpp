#include "common/sweep/axis_yaml.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "common/sweep/expression.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

const std::vector<std::string_view> kAxisWords{"values", "value", "min", "max", "step", "count", "log", "when"};

SpecError bad(const ReadingPlace& place, const YamlNode& node, const std::string& message) {
  return place.source.error(node, message);
}

double number_at(const YamlNode& map, const std::string& word, const ReadingPlace& place) {
  const YamlNode* node = map.find(word);
  if (!node)
    throw bad(
        place, map,
        "this axis needs `" + word + "` too: {min, max, step}, {min, max, count} or {log: [from, to], count}");
  auto value = node->is_scalar() && !node->quoted ? read_number(node->text) : std::nullopt;
  if (!value && node->is_scalar())
    if (const auto whole = read_count(node->text)) value = static_cast<double>(*whole);
  if (!value) throw bad(place, *node, word + " takes a number, got " + shown(*node));
  return *value;
}

size_t checked_size(double n, const YamlNode& node, const ReadingPlace& place) {
  if (!(n >= 1 && n <= static_cast<double>(kAxisPointsMax)))
    throw bad(place, node,
              "an axis has 1 to 10,000 values, this one would have " +
                  (n < 9e15 ? std::to_string(std::llround(n)) : short_number(n)));
  return static_cast<size_t>(n);
}

// Returns: `count` values, both ends included, to 6 significant digits. `at` gives the value a share t of the
// way.
std::vector<double> spread(size_t count, const auto& at) {
  std::vector<double> out;
  for (size_t i = 0; i < count; ++i)
    out.push_back(rounded(at(count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1))));
  return out;
}

std::vector<double> stepped(const YamlNode& node, const ReadingPlace& place) {
  const double from = number_at(node, "min", place);
  const double to = number_at(node, "max", place);
  const double step = number_at(node, "step", place);
  if (!(step > 0)) throw bad(place, node, "step has to be above 0");
  if (from > to) throw bad(place, node, "min is above max");
  constexpr double kSlack = 1e-9;  // 0.1 .. 0.3 by 0.1 has three values in floating point too
  const size_t count = checked_size(std::floor((to - from) / step + kSlack) + 1, node, place);
  std::vector<double> out;
  for (size_t i = 0; i < count; ++i) out.push_back(rounded(from + step * static_cast<double>(i)));
  return out;
}

std::pair<double, double> log_ends(const YamlNode& log, const ReadingPlace& place) {
  const bool two = log.is_list() && log.items.size() == 2;
  const auto from = two ? read_number(log.items[0].text) : std::nullopt;
  const auto to = two ? read_number(log.items[1].text) : std::nullopt;
  if (!from || !to || *from <= 0 || *to <= 0)
    throw bad(place, log, "log takes two numbers above 0: {log: [1e-5, 1e-3], count: 5}");
  return {*from, *to};
}

std::vector<double> counted(const YamlNode& node, const ReadingPlace& place) {
  const size_t count = checked_size(number_at(node, "count", place), node, place);
  const YamlNode* log = node.find("log");
  if (!log) {
    const double from = number_at(node, "min", place);
    const double to = number_at(node, "max", place);
    if (from > to) throw bad(place, node, "min is above max");
    return spread(count, [&](double t) { return from + (to - from) * t; });
  }
  const auto [from, to] = log_ends(*log, place);
  return spread(count, [from = from, to = to](double t) { return from * std::pow(to / from, t); });
}

AxisPoint generated_point(const Setting& setting, double value, const YamlNode& node,
                          const ReadingPlace& place) {
  const std::string key(setting.key);
  Json json = value;
  if (setting.type == SettingType::count) json = std::llround(value);
  if (setting.type == SettingType::steps_or_share) json = Json{{"steps", std::llround(value)}};
  if (const auto wrong = refusal(setting, json)) throw bad(place, node, key + " " + *wrong);
  return {.label = json.is_number_float() ? short_number(value) : std::to_string(std::llround(value)),
          .set = {{key, json}}};
}

// Two ways to make the values of one axis: which of them was meant, nobody can say.
void refuse_two_ways(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  const auto has = [&](std::string_view word) { return node.find(word) != nullptr; };
  const std::string axis = "axis " + std::string(setting.key) + ": ";
  if (has("step") && has("count")) throw bad(place, node, axis + "step and count exclude each other; keep one");
  if (has("log") && (has("min") || has("max") || has("step")))
    throw bad(place, node, axis + "log has both ends in it; leave min, max and step out");
}

// Where a random search draws from; both ends are values that the setting takes.
DrawnRange open_range(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  refuse_two_ways(setting, node, place);
  DrawnRange out;
  if (const YamlNode* log = node.find("log")) {
    std::tie(out.min, out.max) = log_ends(*log, place);
    out.log = true;
  } else {
    out.min = number_at(node, "min", place);
    out.max = number_at(node, "max", place);
  }
  if (!(out.min < out.max))
    throw bad(place, node,
              "axis " + std::string(setting.key) + ": its lower end has to be below its upper one");
  for (const double end : {out.min, out.max}) generated_point(setting, end, node, place);
  return out;
}

bool is_open_range(const YamlNode& node) {
  return !node.find("step") && !node.find("count") &&
         (node.find("log") || (node.find("min") && node.find("max")));
}

std::vector<AxisPoint> generated(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  refuse_two_ways(setting, node, place);
  std::vector<AxisPoint> out;
  for (const double value : node.find("step") ? stepped(node, place) : counted(node, place)) {
    out.push_back(generated_point(setting, value, node, place));
    if (out.size() > 1 && out[out.size() - 2].set == out.back().set)
      throw bad(
          place, node,
          std::string(setting.key) + " would have " + out.back().label + " twice after rounding; lower count");
  }
  return out;
}

AxisPoint written_point(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  const std::string key(setting.key);
  return {.label = label_of(node), .set = {{key, read_value(setting, key, node, place)}}};
}

std::vector<AxisPoint> listed(const Setting& setting, const YamlNode& list, const ReadingPlace& place) {
  if (!list.is_list())
    throw bad(place, list, std::string(setting.key) + ": values takes a list, got " + shown(list));
  if (list.items.empty())
    throw bad(place, list,
              "axis " + std::string(setting.key) +
                  " has no values, so the grid would be empty; give it at least one, or leave the key out");
  checked_size(static_cast<double>(list.items.size()), list, place);
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
    axis.drawn = open_range(setting, node, place);
  else
    axis.points = generated(setting, node, place);
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
  return "unknown key \"" + key + "\"" + key_remedy(key, more);
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
    checked_size(static_cast<double>(list.items.size()), list, place);
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
