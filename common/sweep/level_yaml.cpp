#include "common/sweep/level_yaml.h"

#include <algorithm>

#include "common/sweep/axis_yaml.h"
#include "common/sweep/include_yaml.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

constexpr std::string_view kTopWords[] = {"version", "name", "seeds", "blocks", "search", "tune"};

bool is_top_word(const std::string& key) {
  return std::find(std::begin(kTopWords), std::end(kTopWords), key) != std::end(kTopWords);
}

Json plain_value(const Setting& setting, const std::string& key, const YamlNode& node,
                 const ReadingPlace& place) {
  if (!is_axis_value(setting, node)) return read_value(setting, key, node, place);
  refuse_module_list(setting, node, place);
  const bool numeric = setting.type == SettingType::count || setting.type == SettingType::number;
  throw place.source.error(node, key + (numeric ? " takes one number, got " : " takes one value, got ") +
                                     shown(node) + "; to sweep it write   axes: {" + key + ": " +
                                     label_of(node) + "}");
}

// Returns: a value as it stands in an expression; nullopt for what has no literal.
std::optional<std::string> literal(const Json& value) {
  if (value.is_number()) return value.is_number_float() ? short_number(value.get<double>()) : value.dump();
  if (value.is_boolean()) return value.dump();
  if (value.is_object() && value.size() == 1) return literal(*value.begin());
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  const char quote = text.find('\'') == std::string::npos ? '\'' : '"';
  if (text.find(quote) != std::string::npos) return std::nullopt;
  return quote + text + quote;
}

bool is_trained_by(const Axis& axis) {
  return std::any_of(axis.points.begin(), axis.points.end(), [](const AxisPoint& point) {
    return std::any_of(point.set.begin(), point.set.end(),
                       [](auto& item) { return find_setting(item.first)->part == SettingPart::training; });
  });
}

// An axis that sets only evals or moments would make cells that train the same and differ in nothing.
std::string trains_nothing(const std::string& axis) {
  return "axis " + axis +
         " changes nothing in the training, so its trials would be equal; list the evals together";
}

class LevelReader {
 public:
  LevelReader(const ReadingPlace& place, std::string block, Below below)
      : place_(place), block_(std::move(block)), below_(std::move(below)) {}

  void read(const YamlNode& map, Level& plain, Level& varying) const {
    read_constructs(map, varying);
    unit([&] { refuse_empty_policies(map); });
    for (const auto& flat : flattened(map)) unit([&] { read_key(flat, plain, varying); });
  }

 private:
  // One unit of the file: what is wrong in it keeps nobody from reading the next.
  bool unit(const auto& read_it) const { return attempt(place_.errors, read_it); }

  SpecError bad(const YamlNode& node, const std::string& message) const {
    return place_.source.error(node, message);
  }
  SpecError bad(const YamlEntry& entry, const std::string& message) const {
    return place_.source.error(entry, message);
  }

  // Axes first: a block may pin the rows that it has itself defined nowhere but below.
  void read_constructs(const YamlNode& map, Level& level) const {
    for (const auto& entry : map.entries) {
      const bool is_read = unit([&] { read_construct(entry, level); });
      if (!is_read && (entry.key == "rows" || entry.key == "zip")) level.unread.insert(kAnyName);
    }
  }

  void read_construct(const YamlEntry& entry, Level& level) const {
    if (entry.key == "axes")
      read_axes(entry, level);
    else if (entry.key == "rows")
      read_rows(entry, level);
    else if (entry.key == "zip")
      read_zips(entry, level);
    else if (entry.key == "derive")
      read_derive(entry, level);
    else if (entry.key == "exclude")
      read_exclude(entry, level);
    else if (entry.key == "include")
      read_include(entry, level);
  }

  void mark_set(const std::string& key, const YamlEntry& entry, Level& level) const {
    const auto [it, is_new] = level.set_at.emplace(key, entry.at);
    if (is_new) return;
    throw bad(entry, "\"" + key + "\" is set twice" + (block_.empty() ? "" : " in block " + block_) +
                         " (first at line " + std::to_string(it->second.line) + ")");
  }

  void expect_map(const YamlEntry& entry, const std::string& shape) const {
    if (!entry.value.is_map())
      throw bad(entry.value, entry.key + " takes " + shape + ", got " + shown(entry.value));
  }

  void read_axes(const YamlEntry& axes, Level& level) const {
    expect_map(axes, "a map: {lora.rank: [4, 16]}");
    for (const auto& flat : flattened(axes.value))
      unit([&] {
        const Setting& setting = varying_setting(flat, place_);
        mark_set(flat.key, *flat.entry, level);
        add_axis(read_axis(setting, flat.entry->value, place_), *flat.entry, level);
      });
  }

  void add_axis(Axis axis, const YamlEntry& entry, Level& level) const {
    if (!is_trained_by(axis) && axis.points.size() > 1) throw bad(entry, trains_nothing(axis.name));
    level.axes.push_back(std::move(axis));
  }

  void check_axis_name(const YamlEntry& entry, const Level& level) const {
    if (!is_name(entry.key)) throw bad(entry, name_refusal("an axis' name", entry.key));
    if (full_key(entry.key) || is_section(entry.key))
      throw bad(entry, "\"" + entry.key + "\" is a setting; give the axis another name");
    for (const auto& axis : level.axes)
      if (axis.name == entry.key) throw bad(entry, "two axes are named \"" + entry.key + "\"; rename one");
  }

  void mark_axis_keys(const Axis& axis, const YamlEntry& entry, Level& level) const {
    std::map<std::string, bool> keys;
    for (const auto& point : axis.points)
      for (const auto& [key, value] : point.set) keys[key] = true;
    for (const auto& [key, value] : keys) mark_set(key, entry, level);
  }

  void read_rows(const YamlEntry& rows, Level& level) const {
    expect_map(rows, "a map: name -> {label -> settings}");
    for (const auto& entry : rows.value.entries)
      if (!unit([&] { read_rows_axis(entry, level); })) level.unread.insert(entry.key);
  }

  void read_rows_axis(const YamlEntry& entry, Level& level) const {
    check_axis_name(entry, level);
    if (!entry.value.is_map() || entry.value.entries.empty())
      throw bad(entry.value, "rows \"" + entry.key + "\" takes {label -> settings}, got " + shown(entry.value));
    Axis axis{.name = entry.key, .points = {}, .when = ""};
    for (const auto& label : entry.value.entries)
      if (!unit([&] { axis.points.push_back(read_row(label)); })) level.unread.insert(entry.key);
    mark_axis_keys(axis, entry, level);
    add_axis(std::move(axis), entry, level);
  }

  AxisPoint read_row(const YamlEntry& label) const {
    if (!is_name(label.key)) throw bad(label, name_refusal("a label", label.key));
    if (!label.value.is_map())
      throw bad(label.value, "label \"" + label.key + "\" takes a map of settings, got " + shown(label.value));
    AxisPoint out{.label = label.key, .set = {}};
    Level row;
    for (const auto& flat : flattened(label.value))
      unit([&] {
        const Setting& setting = varying_setting(flat, place_);
        mark_set(flat.key, *flat.entry, row);
        out.set[flat.key] = plain_value(setting, flat.key, flat.entry->value, place_);
      });
    return out;
  }

  void read_zips(const YamlEntry& zips, Level& level) const {
    expect_map(zips, "a map: name -> {key: [..], key: [..]}");
    for (const auto& entry : zips.value.entries) {
      const bool is_read = unit([&] {
        check_axis_name(entry, level);
        Axis axis = read_zip(entry, place_);
        mark_axis_keys(axis, entry, level);
        add_axis(std::move(axis), entry, level);
      });
      if (!is_read) level.unread.insert(entry.key);
    }
  }

  void read_derive(const YamlEntry& derive, Level& level) const {
    expect_map(derive, "a map: key -> expression");
    for (const auto& flat : flattened(derive.value))
      unit([&] {
        const Setting& setting = varying_setting(flat, place_);
        if (setting.part != SettingPart::training) throw bad(*flat.entry, flat.key + " cannot be derived");
        check_expression(flat.entry->value, "derive " + flat.key, place_);
        mark_set(flat.key, *flat.entry, level);
        level.derive[flat.key] = flat.entry->value.text;
      });
  }

  void read_exclude(const YamlEntry& exclude, Level& level) const {
    if (!exclude.value.is_list())
      throw bad(exclude.value, "exclude takes a list of rules, got " + shown(exclude.value));
    for (const auto& item : exclude.value.items)
      unit([&] {
        if (!item.is_map()) check_expression(item, "exclude", place_);
        level.exclude.push_back(
            {.text = item.is_map() ? expression_of(item) : item.text, .where = place_.source.where(item.at)});
        level.exclude_at.push_back(item.at);
      });
  }

  void read_include(const YamlEntry& include, Level& level) const {
    if (!include.value.is_list())
      throw bad(include.value, "include takes a list of maps, got " + shown(include.value));
    for (const auto& item : include.value.items)
      unit([&] { level.include.push_back(read_include_entry(item, place_)); });
  }

  // {lora.rank: [4, 8], regime: code} -> lora.rank in (4, 8) and regime = 'code'
  std::string expression_of(const YamlNode& map) const {
    std::string out;
    for (FlatEntry flat : flattened(map)) {
      flat.key = full_key(flat.key).value_or(flat.key);
      const YamlNode& node = flat.entry->value;
      std::string values;
      for (const auto& item : node.is_list() ? node.items : std::vector<YamlNode>{node})
        values += (values.empty() ? "" : ", ") + literal_of(flat, item);
      if (values.empty()) throw bad(node, flat.key + " has no value here, so the rule would remove nothing");
      out +=
          (out.empty() ? "" : " and ") + flat.key + (node.is_list() ? " in (" + values + ")" : " = " + values);
    }
    if (out.empty())
      throw bad(map, "an exclude rule without keys would remove everything; name keys or write an expression");
    return out;
  }

  std::string label_in_rule(const FlatEntry& flat, const YamlNode& node) const {
    if (node.text.find('\'') != std::string::npos) throw bad(node, flat.key + " has no label " + shown(node));
    return node.text;
  }

  std::string literal_of(const FlatEntry& flat, const YamlNode& node) const {
    if (!find_setting(flat.key) && is_name(flat.key) && node.is_scalar())
      return "'" + label_in_rule(flat, node) + "'";
    const Setting& setting = varying_setting(flat, place_);
    const auto out = literal(read_value(setting, flat.key, node, place_));
    if (!out) throw bad(node, flat.key + " cannot stand in an exclude rule; name the alternatives under rows, and "
                                         "exclude the name");
    return *out;
  }

  SpecError lacks_its_eval(const YamlEntry& entry) const {
    return bad(entry,
               "run.stop_early takes a map that names the eval which values are compared by: {by: "
               "valid_loss}; got " +
                   shown(entry.value));
  }

  // A map without entries sets nothing, and would be as good as not written.
  void refuse_empty_policies(const YamlNode& map) const {
    for (const auto& entry : map.entries) {
      const bool is_empty = entry.value.is_map() && entry.value.entries.empty();
      if (is_empty && entry.key == "run.stop_early") throw lacks_its_eval(entry);
      if (entry.key != "run" || !entry.value.is_map()) continue;
      for (const auto& policy : entry.value.entries)
        if (policy.key == "stop_early" && policy.value.is_map() && policy.value.entries.empty())
          throw lacks_its_eval(policy);
    }
  }

  void read_key(const FlatEntry& flat, Level& plain, Level& varying) const {
    constexpr std::string_view kRead[] = {"axes", "rows", "zip", "derive", "exclude", "include"};
    if (std::find(std::begin(kRead), std::end(kRead), flat.key) != std::end(kRead)) return;
    if (block_.empty() ? is_top_word(flat.key) : flat.key == "like") return;
    if (const Setting* setting = find_setting(flat.key)) return read_setting(*setting, flat, plain, varying);
    if (flat.key == "run.stop_early") throw lacks_its_eval(*flat.entry);
    if (!block_.empty() && (read_pin(flat, plain) || may_pin_what_is_unread(flat))) return;
    throw bad(*flat.entry, refusal_of_key(flat));
  }

  std::string refusal_of_key(const FlatEntry& flat) const {
    if (is_section(flat.key)) return flat.key + " takes a map of settings, got " + shown(flat.entry->value);
    if (!block_.empty() && is_top_word(flat.key))
      return flat.key + " stands at the top of the file, not in a block";
    const size_t dot = flat.key.rfind('.');
    if (dot != std::string::npos && find_setting(flat.key.substr(0, dot))) {
      const std::string parent = flat.key.substr(0, dot);
      return "unknown key \"" + flat.key + "\"; write it as a map:   " + parent + ": {" +
             flat.key.substr(dot + 1) + ": ...}";
    }
    std::vector<std::string> names;
    for (const auto& axis : below_.axes) names.push_back(axis.name);
    return unknown_key(flat.key, names);
  }

  void read_setting(const Setting& setting, const FlatEntry& flat, Level& plain, Level& varying) const {
    const bool is_policy = flat.key.starts_with("run.");
    if (flat.key == "seed" || (is_policy && !block_.empty())) varying_setting(flat, place_);  // throws
    const YamlNode& node = flat.entry->value;
    const bool is_axis = !block_.empty() && is_axis_value(setting, node);
    Level& level = is_axis ? varying : plain;
    mark_set(flat.key, *flat.entry, level);
    if (is_axis) {
      refuse_module_list(setting, node, place_);
      return add_axis(read_axis(setting, node, place_), *flat.entry, level);
    }
    level.constants[flat.key] = plain_value(setting, flat.key, node, place_);
  }

  // An axis below that has its own error: whether this key pins it, nobody can say before that is mended.
  bool may_pin_what_is_unread(const FlatEntry& flat) const {
    return below_.unread.contains(flat.key) || (below_.unread.contains(kAnyName) && is_name(flat.key));
  }

  // `regime: code` keeps one label of the axis below, `regime: [code, math]` some.
  bool read_pin(const FlatEntry& flat, Level& level) const {
    const auto& axes = below_.axes;  // the lowest level first
    const auto axis = std::find_if(axes.rbegin(), axes.rend(), [&](auto& a) { return a.name == flat.key; });
    if (axis == axes.rend() || below_.unread.contains(flat.key)) return false;
    const YamlNode& node = flat.entry->value;
    std::vector<std::string_view> legal;
    for (const auto& point : axis->points) legal.push_back(point.label);
    for (const auto& item : node.is_list() ? node.items : std::vector<YamlNode>{node}) {
      if (std::find(legal.begin(), legal.end(), item.text) == legal.end() || !item.is_scalar())
        throw bad(item, flat.key + " has no label " + shown(item) + nearest_remedy(item.text, legal));
      level.pins[flat.key].push_back(item.text);
    }
    level.pinned_at[flat.key] = flat.entry->at;
    if (level.pins[flat.key].empty()) throw bad(node, flat.key + " is pinned to no label");
    return true;
  }

  const ReadingPlace& place_;
  std::string block_;  // empty: the file's top
  Below below_;
};

}  // namespace

FileLevels read_file_levels(const YamlNode& root, const ReadingPlace& place) {
  FileLevels out;
  LevelReader(place, "", {}).read(root, out.plain, out.varying);
  return out;
}

Level read_block_level(const std::string& name, const YamlNode& node, const Below& below,
                       const ReadingPlace& place) {
  Level out;
  LevelReader(place, name, below).read(node, out, out);
  return out;
}

Level read_override_level(const Setting& setting, const YamlNode& node, const ReadingPlace& place) {
  Level out;
  const std::string key(setting.key);
  if (is_axis_value(setting, node)) {
    out.axes.push_back(read_axis(setting, node, place));
    if (!is_trained_by(out.axes[0]) && out.axes[0].points.size() > 1)
      throw place.source.error(node, trains_nothing(key));
  } else {
    out.constants[key] = read_value(setting, key, node, place);
  }
  return out;
}

}  // namespace ranktide
