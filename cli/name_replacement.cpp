#include "cli/name_replacement.h"

#include <vector>

#include "common/sweep/expression.h"
#include "common/sweep/settings.h"
#include "common/vocabulary/content_name.h"

namespace ranktide::cli {
namespace {

void replace_value(SettingValues& set, const char* key, const Places& places) {
  const auto value = set.find(key);
  if (value == set.end() || !value->second.is_string()) return;
  if (const auto place = places.find(value->second.get<std::string>()); place != places.end())
    value->second = place->second;
}

std::vector<const Expression*> quoted_in(const Expression& rule) {
  if (rule.kind == Expression::Kind::text) return {&rule};
  std::vector<const Expression*> out;
  for (const Expression& operand : rule.operands)
    for (const Expression* text : quoted_in(operand)) out.push_back(text);
  return out;  // as they stand in the rule
}

// Throws: SpecError where the language of rules, which escapes nothing, has no quotes for it.
std::string in_quotes(const std::string& folder) {
  for (const char* quote : {"'", "\""})
    if (folder.find(quote) == std::string::npos) return quote + folder + quote;
  throw SpecError(folder +
                  ": a rule names what lies here by its hash, and no rule can hold a path with both "
                  "kinds of quotes; rename the folder");
}

// A rule compares with the settings, and so with what they are now. An axis under `rows` keeps its labels.
void replace_in_rule(std::string& rule, const Places& places) {
  if (rule.find(kContentPrefix) == std::string::npos) return;
  const Expression parsed = parse_expression(rule);
  std::vector<const Expression*> values = quoted_in(parsed);
  for (const TextComparison& comparison : text_comparisons(parsed))
    if (!full_key(comparison.name)) std::erase(values, comparison.value);
  for (auto value = values.rbegin(); value != values.rend(); ++value)  // offsets before it stay
    if (const auto place = places.find((*value)->text); place != places.end())
      rule.replace((*value)->offset, place->first.size() + 2, in_quotes(place->second));
}

}  // namespace

void replace_in_settings(SweepSpec& spec, const char* key, const Places& places) {
  for (Block& block : spec.blocks) {
    replace_value(block.constants, key, places);
    for (Axis& axis : block.axes)
      for (AxisPoint& point : axis.points) replace_value(point.set, key, places);
    for (IncludedCell& cell : block.include)
      for (AxisPoint& point : cell.points) replace_value(point.set, key, places);
  }
}

void replace_in_rules(SweepSpec& spec, const Places& places) {
  for (Block& block : spec.blocks) {
    for (Rule& rule : block.exclude) replace_in_rule(rule.text, places);
    for (Axis& axis : block.axes) replace_in_rule(axis.when, places);
    for (auto& [key, rule] : block.derive) replace_in_rule(rule, places);
  }
}

}  // namespace ranktide::cli
