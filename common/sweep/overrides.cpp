#include "common/sweep/overrides.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/sweep/axis_yaml.h"
#include "common/sweep/comparison_check.h"
#include "common/sweep/expression.h"
#include "common/sweep/level_yaml.h"
#include "common/sweep/override_text.h"
#include "common/sweep/rule_check.h"
#include "common/sweep/suggest.h"
#include "common/sweep/sweep_head.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

std::vector<Block*> blocks_of(const Override& o, SweepSpec& spec) {
  std::vector<Block*> out;
  std::vector<std::string_view> names;
  for (auto& block : spec.blocks) {
    names.push_back(block.name);
    if (o.block.empty() || block.name == o.block) out.push_back(&block);
  }
  if (out.empty()) refuse_override(o, "there is no block \"" + o.block + "\"" + nearest_remedy(o.block, names));
  return out;
}

void drop_axis(const Override& o, SweepSpec& spec) {
  const std::string key = full_key(o.key).value_or(o.key);
  size_t dropped = 0;
  for (Block* block : blocks_of(o, spec))
    dropped += std::erase_if(block->axes, [&](auto& axis) { return axis.name == key; });
  if (dropped > 0) return;
  refuse_override(o,
                  o.block.empty() ? "no block has an axis " + key : "block " + o.block + " has no axis " + key);
}

// What there is once in a sweep cannot be set in one block.
void refuse_block_before(const Override& o, const std::string& key) {
  if (o.block.empty()) return;
  const std::string whole = o.drops ? "~" + o.key : o.key + "=" + o.value;
  refuse_override(
      o, key + " is the whole sweep's, and no block has its own; write it without the block: " + whole);
}

void drop(const Override& o, SweepSpec& spec) {
  if (o.key != "search" && o.key != "tune") return drop_axis(o, spec);
  refuse_block_before(o, o.key);
  if (o.key == "search")
    spec.random.reset();
  else
    spec.tune.reset();
}

// Returns: the alternatives of a value, a,b or choice(a,b); nullptr for one value.
const YamlNode* alternatives_in(const YamlNode& node) {
  const YamlNode* values = node.entries.size() == 1 ? node.find("values") : nullptr;
  return values && values->is_list() ? values : nullptr;
}

// Returns: whether the key was one of those that a sweep has beside its settings; it is set now.
bool set_head(const Override& o, const YamlNode& node, const ReadingPlace& place, SweepSpec& spec) {
  if (o.key != "seeds" && o.key != "search" && o.key != "tune" && o.key != "name") return false;
  refuse_block_before(o, o.key);
  const YamlNode* alternatives = alternatives_in(node);
  if (o.key == "seeds")
    spec.seeds = read_seeds(alternatives ? *alternatives : node, place);  // 3 is a count, 1,2 and [5] are lists
  else if (o.key == "search")
    spec.random = read_search(node, place);
  else if (o.key == "tune")
    spec.tune = read_tuning(alternatives ? *alternatives : node, place);
  else if (alternatives)
    refuse_override(o, "a sweep has one name, got " + o.value);
  else
    spec.name = read_sweep_name(node, place);
  return true;
}

void check_label(const Override& o, const YamlNode& label, const Axis& axis, const Block& block) {
  std::vector<std::string_view> legal;
  for (const auto& point : axis.points) legal.push_back(point.label);
  if (label.is_scalar() && std::find(legal.begin(), legal.end(), label.text) != legal.end()) return;
  refuse_override(o, o.key + " has no label " + shown(label) + " in block " + block.name +
                         nearest_remedy(label.text, legal));
}

// Returns: whether the key named a rows or zip axis. Its labels are now those of the value, where nothing later
// says which they are.
bool pin_labels(const Override& o, const YamlNode& node, const std::vector<Block*>& blocks,
                const std::vector<OverrideChange>& later) {
  const YamlNode* several = node.is_list() ? &node : alternatives_in(node);
  const std::vector<YamlNode> labels = several ? several->items : std::vector<YamlNode>{node};
  bool found = false;
  for (Block* block : blocks) {
    const auto axis =
        std::find_if(block->axes.begin(), block->axes.end(), [&](auto& a) { return a.name == o.key; });
    if (axis == block->axes.end() || find_setting(axis->name)) continue;
    found = true;
    std::vector<std::string> kept;
    for (const YamlNode& label : labels) {
      check_label(o, label, *axis, *block);
      kept.push_back(label.text);
    }
    const auto says_it = [&](const OverrideChange& change) { return change.sets(o.key, block->name); };
    if (std::none_of(later.begin(), later.end(), says_it)) pin(*block, o.key, kept);
  }
  return found;
}

// A section takes a map in a file, where its keys stand below each other.
void refuse_section(const Override& o, const YamlNode& node) {
  if (!node.is_map() || node.entries.empty() || !is_section(o.key)) return;
  const std::string first = o.key + "." + node.entries[0].key;
  if (full_key(o.key) && !find_setting(first) && !is_section(first)) return;  // train={path: ...} is data.train
  refuse_override(o, o.key + " is a section; on the command line each of its keys is named:   " + first + "=" +
                         label_of(node.entries[0].value));
}

void set_policy(const Override& o, const Setting& setting, const YamlNode& node, const ReadingPlace& place,
                RunPolicy& run) {
  const std::string key(setting.key);
  refuse_block_before(o, key);
  if (alternatives_in(node))
    refuse_override(o,
                    key + " is the whole sweep's and takes one value, got " + o.value +
                        (is_list_typed(setting) ? "; a list is written " + o.key + "=[" + o.value + "]" : ""));
  set_run(run, key, read_value(setting, key, node, place));
}

// An axis that another block has is no mistake; a name that no block knows is.
void drop_blocks_that_lack_a_name(SweepSpec& spec, const std::string& text) {
  RT_CHECK(!spec.blocks.empty());
  const Expression rule = parse_expression(text);
  const auto lacks_one = [&](const Block& block) { return unknown_word(block, rule).has_value(); };
  if (std::all_of(spec.blocks.begin(), spec.blocks.end(), lacks_one))
    named_rule(spec.blocks[0], kOnlyRule, text);  // throws
  std::erase_if(spec.blocks, lacks_one);
}

using LabelsOfAxes = std::map<std::string, std::vector<AxisPoint>>;  // by name of a rows or zip axis

LabelsOfAxes labels_in(const std::vector<Block>& blocks) {
  LabelsOfAxes out;
  std::set<std::pair<std::string, std::string>> seen;
  for (const Block& block : blocks)
    for (const Axis& axis : block.axes)
      for (const AxisPoint& point : axis.points)
        if (!find_setting(axis.name) && seen.emplace(axis.name, point.label).second)
          out[axis.name].push_back({.label = point.label, .set = {}});
  return out;
}

// A label that no block has is a mistake. One that only others have is none, nor is it in a block that pins the
// axis, where it alone would take any text.
void check_labels(const Block& block, const LabelsOfAxes& labels, const std::string& text) {
  Block asked = block;
  for (Axis& axis : asked.axes)
    if (const auto all = labels.find(axis.name); all != labels.end()) axis.points = all->second;
  refuse_impossible_comparisons(asked, kOnlyRule, checked_rule(asked, kOnlyRule, text));
}

}  // namespace

OverrideChange change_of(const std::string& text) {
  const Override o = override_of(text);
  return {.block = o.block, .key = full_key(o.key).value_or(o.key), .value = o.value, .drops = o.drops};
}

std::vector<OverrideChange> changes_of(const std::vector<std::string>& texts) {
  std::vector<OverrideChange> out;
  for (const std::string& text : texts) {
    try {
      out.push_back(change_of(text));
    } catch (const SpecError&) {  // said when it is applied
    }
  }
  return out;
}

void apply_override(SweepSpec& spec, const std::string& text, const std::filesystem::path& folder,
                    const std::vector<OverrideChange>& later) {
  const Override o = override_of(text);
  if (o.drops) return drop(o, spec);
  const auto blocks = blocks_of(o, spec);
  const SourceText source = SourceText::without_lines(o.name, yaml_of(o));
  const YamlNode node = parse_yaml(source);
  const ReadingPlace place{source, folder};
  if (set_head(o, node, place, spec) || pin_labels(o, node, blocks, later)) return;
  refuse_section(o, node);
  const auto key = full_key(o.key);
  if (!key) refuse_override(o, "unknown key \"" + o.key + "\"" + key_remedy(o.key));
  if (*key == "seed") refuse_override(o, "seed is set by seeds; write seeds=3 or seeds=1,2");
  const Setting& setting = *find_setting(*key);
  if (key->starts_with("run.")) return set_policy(o, setting, node, place, spec.run);
  const Level level = read_override_level(setting, node, place);
  for (Block* block : blocks) lay_over(*block, level);
}

std::vector<std::string> labels_first(std::vector<std::string> overrides, const SweepSpec& spec) {
  std::set<std::string> names;
  for (const Block& block : spec.blocks)
    for (const Axis& axis : block.axes)
      if (!find_setting(axis.name)) names.insert(axis.name);
  std::stable_partition(overrides.begin(), overrides.end(), [&](const std::string& text) {
    const auto change = changes_of({text});
    return !change.empty() && names.contains(change[0].key);
  });
  return overrides;
}

void refuse_without_effect(const SweepSpec& spec, const std::string& text) {
  const Override o = override_of(text);
  const auto key = full_key(o.key);
  if (o.drops || !key || key->starts_with("run.")) return;
  const Setting& setting = *find_setting(*key);
  const Block* first = nullptr;
  for (const Block& block : spec.blocks) {
    if (!o.block.empty() && block.name != o.block) continue;
    if (!has_method(block) || may_have_effect(setting, block)) return;
    if (!first) first = &block;
  }
  RT_CHECK(first);
  refuse_override(
      o, *key + " has no effect with " + effect_ruled_out_by(setting, *first) + " (block " + first->name + ")");
}

void keep_only(SweepSpec& spec, const std::string& text) {
  constexpr std::string_view kBlocks = "block=";
  if (text.starts_with(kBlocks)) {
    const auto names = split_at(text.substr(kBlocks.size()), ',');
    for (const auto& name : names)
      blocks_of({.name = "--only " + text, .block = name, .key = "", .value = ""}, spec);
    std::erase_if(spec.blocks, [&](auto& block) {
      return std::find(names.begin(), names.end(), block.name) == names.end();
    });
    return;
  }
  if (text.starts_with("block ") || text.starts_with("block!"))
    throw SpecError("--only: blocks are named by themselves and without spaces:   --only block=lora,full");
  try {
    parse_expression(text);
  } catch (const ExpressionError& e) {
    throw SpecError("--only: " + std::string(e.what()));
  }
  const LabelsOfAxes labels = labels_in(spec.blocks);
  drop_blocks_that_lack_a_name(spec, text);
  for (const Block& block : spec.blocks) check_labels(block, labels, text);
  for (auto& block : spec.blocks) block.exclude.push_back({.text = "not (" + text + ")", .where = kOnlyRule});
}

}  // namespace ranktide
