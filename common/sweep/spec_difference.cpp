#include "common/sweep/spec_difference.h"

#include <algorithm>
#include <map>

#include "common/sweep/scalar_text.h"

namespace ranktide {
namespace {

using Texts = std::vector<std::string>;

std::string joined_texts(const Texts& texts, const std::string& between) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}

// How a block settles one key or axis.
struct Way {
  enum class Kind { constant, axis, derived } kind = Kind::constant;
  Texts values;
  std::string when;
  bool operator==(const Way&) const = default;
};

// Labels are as somebody wrote a value, and 5e-5 is 0.00005; only those of rows and zips are names.
std::string point_text(const Axis& axis, const AxisPoint& point) {
  const auto own = point.set.find(axis.name);
  return own == point.set.end() ? point.label : value_text(own->second);
}

std::string range_text(const DrawnRange& range) {
  return short_number(range.min) + ".." + short_number(range.max) + (range.log ? " in the logarithm" : "");
}

std::map<std::string, Way> ways_of(const Block& block) {
  std::map<std::string, Way> out;
  for (const auto& [key, value] : block.constants) out[key] = {.values = {value_text(value)}, .when = ""};
  for (const Axis& axis : block.axes) {
    Way way{.kind = Way::Kind::axis, .values = {}, .when = axis.when};
    for (const AxisPoint& point : axis.points) way.values.push_back(point_text(axis, point));
    if (axis.drawn) way.values.push_back(range_text(*axis.drawn));
    out[axis.name] = std::move(way);
  }
  for (const auto& [key, rule] : block.derive)
    out[key] = {.kind = Way::Kind::derived, .values = {rule}, .when = ""};
  return out;
}

std::string text_of(const Way& way) {
  if (way.kind == Way::Kind::derived) return "= " + way.values.front();
  if (way.kind == Way::Kind::constant) return way.values.front();
  return "[" + joined_texts(way.values, ", ") + "]" + (way.when.empty() ? "" : " when " + way.when);
}

Texts without(const Texts& texts, const Texts& taken) {
  Texts out;
  for (const std::string& text : texts)
    if (std::find(taken.begin(), taken.end(), text) == taken.end()) out.push_back(text);
  return out;
}

// ` + a, b - c`; empty: the same values, in whatever order.
std::string signed_text(const Texts& from, const Texts& to) {
  const Texts added = without(to, from), removed = without(from, to);
  return (added.empty() ? "" : " + " + joined_texts(added, ", ")) +
         (removed.empty() ? "" : " - " + joined_texts(removed, ", "));
}

// Which of two orders the values stand in says nothing but to a random search, which draws by position.
enum class Order { is_nothing, draws };

// Returns: empty where nothing differs.
std::string change_of_way(const std::string& key, const Way* from, const Way* to, Order order) {
  if (!from) return key + ": " + text_of(*to) + ", was unset";
  if (!to) return key + ": unset, was " + text_of(*from);
  if (*from == *to) return "";
  const bool are_axes = from->kind == Way::Kind::axis && to->kind == Way::Kind::axis;
  if (!are_axes || from->when != to->when) return key + " " + text_of(*from) + " -> " + text_of(*to);
  const std::string changed = signed_text(from->values, to->values);
  if (changed.empty()) return order == Order::draws ? key + ": other order of values" : "";
  return key + changed;
}

// What a label of rows or a position of a zip sets, where it is called the same.
Texts changes_of_points(const Axis& from, const Axis& to) {
  Texts out;
  for (const AxisPoint& after : to.points)
    for (const AxisPoint& before : from.points) {
      if (before.label != after.label || before.set.contains(from.name)) continue;
      for (const auto& [key, value] : after.set) {
        const auto old = before.set.find(key);
        const std::string place = to.name + "=" + after.label + ": " + key;
        if (old == before.set.end())
          out.push_back(place + ": " + value_text(value) + ", was unset");
        else if (old->second != value)
          out.push_back(place + " " + value_text(old->second) + " -> " + value_text(value));
      }
      for (const auto& [key, value] : before.set)
        if (!after.set.contains(key))
          out.push_back(to.name + "=" + after.label + ": " + key + ": unset, was " + value_text(value));
    }
  return out;
}

Texts rules_of(const Block& block) {
  Texts out;
  for (const Rule& rule : block.exclude) out.push_back("\"" + rule.text + "\"");
  return out;
}

Texts included_in(const Block& block) {
  Texts out;
  for (const IncludedCell& cell : block.include) {
    Texts parts;
    for (size_t axis = 0; axis < cell.points.size() && axis < block.axes.size(); ++axis)
      parts.push_back(block.axes[axis].name + "=" + point_text(block.axes[axis], cell.points[axis]));
    out.push_back("{" + joined_texts(parts, ", ") + "}");
  }
  return out;
}

Texts changes_in_block(const Block& from, const Block& to, Order order) {
  const auto before = ways_of(from), after = ways_of(to);
  Texts out;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) out.push_back(text);
  };
  for (const auto& [key, way] : before)
    if (!after.contains(key)) add(change_of_way(key, &way, nullptr, order));
  for (const auto& [key, way] : after) {
    const auto old = before.find(key);
    add(change_of_way(key, old == before.end() ? nullptr : &old->second, &way, order));
  }
  for (const Axis& axis : to.axes)
    for (const Axis& old : from.axes)
      if (old.name == axis.name)
        for (const std::string& text : changes_of_points(old, axis)) add(text);
  if (const std::string rules = signed_text(rules_of(from), rules_of(to)); !rules.empty())
    add("exclude" + rules);
  if (const std::string cells = signed_text(included_in(from), included_in(to)); !cells.empty())
    add("include" + cells);
  return out;
}

const Block* block_named(const SweepSpec& spec, const std::string& name) {
  const auto it = std::find_if(spec.blocks.begin(), spec.blocks.end(), [&](auto& b) { return b.name == name; });
  return it == spec.blocks.end() ? nullptr : &*it;
}

class Changes {
 public:
  void add(const std::string& what) { all_.push_back({.what = what, .blocks = {}}); }
  void add(const std::string& what, const std::string& block) {
    const auto same =
        std::find_if(all_.begin(), all_.end(), [&](auto& c) { return c.what == what && !c.blocks.empty(); });
    if (same != all_.end())
      same->blocks.push_back(block);
    else
      all_.push_back({.what = what, .blocks = {block}});
  }
  std::vector<SpecChange> take() { return std::move(all_); }

 private:
  std::vector<SpecChange> all_;
};

// Policy is held in milliseconds and bytes, and files say 90s and 6GiB.
std::string policy_text(const std::string& key, const Json& value) {
  if (value.is_null()) return "unset";
  if (key.ends_with("_ms")) return short_number(value.get<double>() / 1000) + "s";
  if (key.ends_with("_bytes")) return short_number(value.get<double>() / (1 << 20)) + "MiB";
  return value_text(value);
}

std::string key_in_files(std::string key) {
  for (const std::string_view unit : {"_ms", "_bytes"})
    if (key.ends_with(unit)) key.resize(key.size() - unit.size());
  return key;
}

void add_policy_changes(const Json& from, const Json& to, const std::string& prefix, Changes& out) {
  for (const auto& [key, value] : to.items()) {
    const Json old = from.value(key, Json());
    if (old == value) continue;
    if (value.is_object() && old.is_object())
      add_policy_changes(old, value, prefix + key + ".", out);
    else
      out.add(prefix + key_in_files(key) + " " + policy_text(key, old) + " -> " + policy_text(key, value));
  }
}

Texts seeds_of(const SweepSpec& spec) {
  Texts out;
  for (const uint64_t seed : spec.seeds) out.push_back(std::to_string(seed));
  return out;
}

std::string search_text(const SweepSpec& spec) {
  if (!spec.random) return "every cell";
  return std::to_string(spec.random->cells) + " cells of each block at random, seed " +
         std::to_string(spec.random->seed);
}

std::string tuning_text(const SweepSpec& spec) {
  if (!spec.tune) return "nothing";
  const Tuning& tune = *spec.tune;
  return joined_texts(tune.axes, ", ") + " by " + (tune.by.empty() ? "learning" : tune.by) +
         (tune.extend > 0 ? ", extended by up to " + std::to_string(tune.extend) : "");
}

void add_search_changes(const SweepSpec& from, const SweepSpec& to, Changes& out) {
  if (search_text(from) != search_text(to)) out.add("search: " + search_text(from) + " -> " + search_text(to));
  if (tuning_text(from) != tuning_text(to)) out.add("tune: " + tuning_text(from) + " -> " + tuning_text(to));
  if (to_json(from.taken) != to_json(to.taken)) out.add("another part of the grid is taken");
}

// A file that keeps its name and not its content changes the ids of the trials that read it.
void add_content_changes(const Inputs& from, const Inputs& to, Changes& out) {
  for (const auto& [path, content] : to.contents) {
    const auto old = from.contents.find(path);
    if (old != from.contents.end() && old->second.sha256 != content.sha256)
      out.add(path + " has other content");
  }
}

}  // namespace

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return short_number(value.get<double>());
  if (value.is_object() && value.size() == 1 && value.contains("steps")) return value["steps"].dump();
  if (value.is_object() && value.size() == 1 && value.contains("share"))
    return short_number(rounded(value["share"].get<double>() * 100, 12)) + "%";
  if (!value.is_array()) return value.dump();
  Texts parts;
  for (const Json& item : value)
    parts.push_back(item.is_object() && item.contains("path") ? value_text(item["path"]) : value_text(item));
  return parts.size() == 1 ? parts.front() : "[" + joined_texts(parts, ", ") + "]";
}

std::vector<SpecChange> changes_between(const SweepSpec& from, const SweepSpec& to) {
  Changes out;
  const Order order = from.random && to.random ? Order::draws : Order::is_nothing;
  for (const Block& block : from.blocks)
    if (!block_named(to, block.name)) out.add("block " + block.name + " is gone");
  for (const Block& block : to.blocks) {
    const Block* old = block_named(from, block.name);
    if (!old) {
      out.add("block " + block.name + " is new");
      continue;
    }
    for (const std::string& what : changes_in_block(*old, block, order)) out.add(what, block.name);
  }
  if (const std::string seeds = signed_text(seeds_of(from), seeds_of(to)); !seeds.empty())
    out.add("seeds" + seeds);
  add_search_changes(from, to, out);
  add_policy_changes(to_json(from.run), to_json(to.run), "run.", out);
  add_content_changes(from.inputs, to.inputs, out);
  return out.take();
}

std::string text_of(const SpecChange& change) {
  if (change.blocks.empty()) return change.what;
  return change.what + (change.blocks.size() == 1 ? " in block " : " in blocks ") +
         joined_texts(change.blocks, ", ");
}

}  // namespace ranktide
