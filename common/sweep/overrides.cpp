#include "common/sweep/overrides.h"

#include <algorithm>
#include <optional>

#include "common/sweep/expression.h"
#include "common/sweep/level_yaml.h"
#include "common/sweep/rule_check.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/suggest.h"
#include "common/sweep/sweep_head.h"

namespace ranktide {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator)
      out.emplace_back();
    else
      out.back().push_back(c);
  }
  return out;
}

bool has_comma_outside_brackets(const std::string& text) {
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0)
      quote = c == quote ? '\0' : quote;
    else if (c == '\'' || c == '"')
      quote = c;
    else if (c == '[' || c == '{')
      ++depth;
    else if (c == ']' || c == '}')
      --depth;
    else if (c == ',' && depth == 0)
      return true;
  }
  return false;
}

bool takes_arguments(const std::string& value, const std::string& function) {
  return value.starts_with(function + "(") && value.ends_with(")");
}

std::string arguments_of(const std::string& value, const std::string& function) {
  return value.substr(function.size() + 1, value.size() - function.size() - 2);
}

// An override, taken apart: [block:]key=value or ~key.
struct Override {
  std::string name;   // as messages call it: override "train.lr=fast"
  std::string block;  // empty: every block
  std::string key;
  std::string value;
  bool drops = false;
};

[[noreturn]] void fail(const Override& o, const std::string& message) {
  throw SpecError(o.name + ": " + message);
}

Override parsed(std::string text) {
  Override out{.name = "override \"" + text + "\"", .block = "", .key = "", .value = ""};
  while (text.starts_with('+')) text.erase(0, 1);
  if (text.starts_with('~')) {
    out.drops = true;
    out.key = text.substr(1);
    return out;
  }
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) fail(out, "expected key=value, ~key or block:key=value");
  out.key = text.substr(0, equals);
  out.value = text.substr(equals + 1);
  if (const size_t colon = out.key.find(':'); colon != std::string::npos) {
    out.block = out.key.substr(0, colon);
    out.key = out.key.substr(colon + 1);
  }
  return out;
}

// range(0,3) is 0, 1, 2 and range(1,10,4) is 1, 5, 9, as in Hydra and Python.
std::string range_values(const Override& o) {
  const auto parts = split(arguments_of(o.value, "range"), ',');
  std::vector<double> numbers;
  for (const auto& part : parts) {
    const auto number = read_number(part.substr(std::min(part.find_first_not_of(' '), part.size())));
    if (!number) fail(o, "range takes whole or decimal numbers: range(0,3) or range(1,10,4)");
    numbers.push_back(*number);
  }
  if (numbers.size() < 2 || numbers.size() > 3)
    fail(o, "range takes two or three numbers: range(0,3), range(1,10,4)");
  const double step = numbers.size() == 3 ? numbers[2] : 1;
  if (!(step > 0) || numbers[1] <= numbers[0])
    fail(o, "range has no values; its end has to be above its start and its step above 0: range(0,3)");
  if ((numbers[1] - numbers[0]) / step > static_cast<double>(kAxisPointsMax))
    fail(o, "range has more than 10,000 values");
  std::string out;
  for (int i = 0; numbers[0] + step * i < numbers[1]; ++i)
    out += (out.empty() ? "" : ", ") + short_number(rounded(numbers[0] + step * i));
  return out;
}

// Returns: the value in the file's own spelling; a list of alternatives becomes an axis whatever the key's
// type.
std::string yaml_value(const Override& o) {
  if (takes_arguments(o.value, "choice")) return "{values: [" + arguments_of(o.value, "choice") + "]}";
  if (takes_arguments(o.value, "range")) return "{values: [" + range_values(o) + "]}";
  for (const char* function : {"interval", "glob", "sort", "shuffle", "tag"})  // Hydra has them
    if (takes_arguments(o.value, function))
      fail(o, std::string(function) +
                  " is not known here; there are choice(a,b) and range(0,3), and in a file   search: "
                  "{random: 40}");
  return has_comma_outside_brackets(o.value) ? "{values: [" + o.value + "]}" : o.value;
}

std::vector<Block*> blocks_of(const Override& o, SweepSpec& spec) {
  std::vector<Block*> out;
  std::vector<std::string_view> names;
  for (auto& block : spec.blocks) {
    names.push_back(block.name);
    if (o.block.empty() || block.name == o.block) out.push_back(&block);
  }
  if (out.empty()) fail(o, "there is no block \"" + o.block + "\"" + nearest_remedy(o.block, names));
  return out;
}

void drop_axis(const Override& o, SweepSpec& spec) {
  const std::string key = full_key(o.key).value_or(o.key);
  size_t dropped = 0;
  for (auto& block : spec.blocks)
    dropped += std::erase_if(block.axes, [&](auto& axis) { return axis.name == key; });
  if (dropped == 0) fail(o, "no block has an axis " + key);
}

void drop(const Override& o, SweepSpec& spec) {
  if (o.key == "search")
    spec.random.reset();
  else if (o.key == "tune")
    spec.tune.reset();
  else
    drop_axis(o, spec);
}

// Returns: whether the key named a rows or zip axis. Its labels are now those of the value, where nothing later
// says which they are.
bool pin_labels(const Override& o, const std::vector<Block*>& blocks,
                const std::vector<OverrideChange>& later) {
  bool found = false;
  for (Block* block : blocks) {
    const auto axis =
        std::find_if(block->axes.begin(), block->axes.end(), [&](auto& a) { return a.name == o.key; });
    if (axis == block->axes.end() || find_setting(axis->name)) continue;
    found = true;
    const auto labels = split(o.value, ',');
    std::vector<std::string_view> legal;
    for (const auto& point : axis->points) legal.push_back(point.label);
    for (const auto& label : labels)
      if (std::find(legal.begin(), legal.end(), label) == legal.end())
        fail(o,
             o.key + " has no label \"" + label + "\" in block " + block->name + nearest_remedy(label, legal));
    const auto says_it = [&](const OverrideChange& change) { return change.sets(o.key, block->name); };
    if (std::none_of(later.begin(), later.end(), says_it)) pin(*block, o.key, labels);
  }
  return found;
}

void set_key(const Override& o, const Setting& setting, const YamlNode& node, const ReadingPlace& place,
             const std::vector<Block*>& blocks) {
  const Level level = read_override_level(setting, node, place);
  bool reached = false;
  for (Block* block : blocks) {
    if (!may_have_effect(setting, *block)) continue;
    reached = true;
    lay_over(*block, level);
  }
  if (reached) return;
  const std::string key(setting.key);
  fail(o, key + " has no effect with " + effect_ruled_out_by(setting, *blocks[0]) + " (block " +
              blocks[0]->name + ")");
}

// An axis that another block has is no mistake; a name that no block knows is.
void drop_blocks_that_cannot_hold(SweepSpec& spec, const std::string& text) {
  std::optional<SpecError> first;
  const auto cannot_hold = [&](const Block& block) {
    try {
      checked_rule(block, "--only", text);
      return false;
    } catch (const SpecError& e) {
      if (!first) first = e;
      return true;
    }
  };
  std::erase_if(spec.blocks, cannot_hold);
  if (spec.blocks.empty()) throw *first;
}

}  // namespace

OverrideChange change_of(const std::string& text) {
  const Override o = parsed(text);
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
  const Override o = parsed(text);
  if (o.drops) return drop(o, spec);
  const auto blocks = blocks_of(o, spec);
  if (pin_labels(o, blocks, later)) return;

  const bool is_list_of_names = o.key == "seeds" || (o.key == "tune" && !o.value.starts_with('{'));
  const SourceText source =
      SourceText::without_lines(o.name, is_list_of_names ? "[" + o.value + "]" : yaml_value(o));
  const YamlNode node = parse_yaml(source);
  const ReadingPlace place{source, folder};
  if (o.key == "seeds") {
    spec.seeds = read_seeds(node.items.size() == 1 ? node.items[0] : node,
                            place);  // 3 is a count, 1,2 and [5] are lists
    return;
  }
  if (o.key == "search") {
    spec.random = read_search(node, place);
    return;
  }
  if (o.key == "tune") {
    spec.tune = read_tuning(node.items.size() == 1 ? node.items[0] : node, place);
    return;
  }
  if (o.key == "name") {
    spec.name = read_sweep_name(node, place);
    return;
  }
  const auto key = full_key(o.key);
  if (!key) fail(o, "unknown key \"" + o.key + "\"" + key_remedy(o.key));
  if (*key == "seed") fail(o, "seed is set by seeds; write seeds=3 or seeds=1,2");
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
    const auto names = split(text.substr(kBlocks.size()), ',');
    for (const auto& name : names)
      blocks_of({.name = "--only " + text, .block = name, .key = "", .value = ""}, spec);
    std::erase_if(spec.blocks, [&](auto& block) {
      return std::find(names.begin(), names.end(), block.name) == names.end();
    });
    return;
  }
  try {
    parse_expression(text);
  } catch (const ExpressionError& e) {
    throw SpecError("--only: " + std::string(e.what()));
  }
  drop_blocks_that_cannot_hold(spec, text);
  for (auto& block : spec.blocks) block.exclude.push_back({.text = "not (" + text + ")", .where = kOnlyRule});
}

}  // namespace ranktide
