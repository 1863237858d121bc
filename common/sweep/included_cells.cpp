#include "common/sweep/included_cells.h"

#include <algorithm>
#include <set>

#include "common/sweep/suggest.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

std::set<std::string> keys_of(const Axis& axis) {
  if (find_setting(axis.name)) return {axis.name};
  std::set<std::string> out;
  for (const auto& point : axis.points)
    for (const auto& [key, value] : point.set) out.insert(key);
  return out;
}

std::vector<std::string> names_of(const std::vector<Axis>& axes) {
  std::vector<std::string> out;
  for (const auto& axis : axes) out.push_back(axis.name);
  return out;
}

const AxisPoint* point_labelled(const Axis& axis, const std::string& label) {
  const auto it =
      std::find_if(axis.points.begin(), axis.points.end(), [&](auto& point) { return point.label == label; });
  return it == axis.points.end() ? nullptr : &*it;
}

// The axis' own point where it has one with these settings, so that one value has one label.
AxisPoint as_the_axis_says(const Axis& axis, AxisPoint point) {
  for (const auto& own : axis.points)
    if (own.set == point.set) return own;
  return point;
}

// Rows and zips by the keys that they set: every key is named, and each with any of its values.
std::vector<AxisPoint> crossed(const std::set<std::string>& keys, const IncludeEntry& entry) {
  std::vector<AxisPoint> out(1);
  for (const auto& key : keys) {
    std::vector<AxisPoint> longer;
    for (const auto& start : out)
      for (const auto& next : entry.choices.at(key)) {
        longer.push_back(start);
        longer.back().set.insert(next.set.begin(), next.set.end());
        longer.back().label += (start.label.empty() ? "" : "/") + next.label;
      }
    out = std::move(longer);
  }
  return out;
}

// Returns: the points that the entry gives an axis; none when it says nothing of it.
std::vector<AxisPoint> points_for(const Axis& axis, const IncludeEntry& entry) {
  std::vector<AxisPoint> out;
  const auto keys = keys_of(axis);
  const auto by_name = entry.choices.find(axis.name);
  if (by_name != entry.choices.end() && !find_setting(axis.name)) {
    for (const auto& point : by_name->second)
      if (const AxisPoint* own = point_labelled(axis, point.label)) out.push_back(*own);
    return out;
  }
  const bool all_named =
      std::all_of(keys.begin(), keys.end(), [&](auto& key) { return entry.choices.contains(key); });
  if (all_named) {
    for (auto& point : crossed(keys, entry)) out.push_back(as_the_axis_says(axis, std::move(point)));
    return out;
  }
  const bool some_named =
      std::any_of(keys.begin(), keys.end(), [&](auto& key) { return entry.choices.contains(key); });
  if (some_named) return out;
  if (!axis.when.empty())
    out.emplace_back();  // whether it has a value in this cell shows when its `when` is asked (block_cells.h)
  else if (axis.points.size() == 1)
    out = axis.points;
  return out;
}

std::optional<std::string> missing_label(const Axis& axis, const IncludeEntry& entry) {
  const auto named = entry.choices.find(axis.name);
  if (named == entry.choices.end() || find_setting(axis.name)) return std::nullopt;
  std::vector<std::string_view> legal;
  for (const auto& point : axis.points) legal.push_back(point.label);
  for (const auto& point : named->second)
    if (!point_labelled(axis, point.label))
      return axis.name + " has no label \"" + point.label + "\"" + nearest_remedy(point.label, legal);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> misfit(const IncludeEntry& entry, const Block& block) {
  std::set<std::string> known;
  for (const auto& axis : block.axes) {
    known.insert(axis.name);
    known.merge(keys_of(axis));
    if (auto wrong = missing_label(axis, entry)) return wrong;
  }
  for (const auto& [name, points] : entry.choices)
    if (!known.contains(name))
      return name + " is no axis of block " + block.name +
             (find_setting(name) ? "" : key_remedy(name, names_of(block.axes)));
  for (const auto& axis : block.axes) {
    if (!points_for(axis, entry).empty()) continue;
    std::string keys;
    if (!find_setting(axis.name))
      for (const auto& key : keys_of(axis)) keys += (keys.empty() ? " (by label, or by " : " and ") + key;
    return "a cell has a value on every axis of block " + block.name + ", and " + axis.name +
           (keys.empty() ? "" : keys + ")") + " is not named";
  }
  return std::nullopt;
}

std::vector<IncludedCell> cells_of(const IncludeEntry& entry, const Block& block) {
  std::vector<IncludedCell> out{{.points = {}, .where = entry.where}};
  for (const auto& axis : block.axes) {
    const auto points = points_for(axis, entry);
    RT_CHECK(!points.empty());
    std::vector<IncludedCell> longer;
    for (const auto& start : out)
      for (const auto& point : points) {
        longer.push_back(start);
        longer.back().points.push_back(point);
      }
    out = std::move(longer);
  }
  return out;
}

}  // namespace ranktide
