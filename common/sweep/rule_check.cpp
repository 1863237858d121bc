#include "common/sweep/rule_check.h"

#include <algorithm>
#include <set>

#include "common/sweep/comparison_check.h"

namespace ranktide {
namespace {

const Axis* axis_of(const Block& block, const std::string& name) {
  const auto it = std::find_if(block.axes.begin(), block.axes.end(), [&](auto& a) { return a.name == name; });
  return it == block.axes.end() ? nullptr : &*it;
}

bool is_known(const Block& block, const std::string& name) {
  return axis_of(block, name) || full_key(name);
}

// Returns: the values that a comparison with this name can mean; empty when any text can.
std::vector<std::string_view> legal_values(const Block& block, const std::string& name) {
  std::vector<std::string_view> out;
  const auto key = full_key(name);
  if (key) return find_setting(*key)->choices;
  const Axis* axis = axis_of(block, name);
  if (!axis || axis->points.size() == 1) return out;  // a pinned axis has lost its other labels
  for (const auto& point : axis->points) out.push_back(point.label);
  return out;
}

void check_comparison(const Block& block, const TextComparison& comparison) {
  const Expression& value = *comparison.value;
  const bool is_name_itself = value.kind == Expression::Kind::word && is_known(block, value.text);
  if (is_name_itself || !is_known(block, comparison.name)) return;
  const auto legal = legal_values(block, comparison.name);
  if (legal.empty() || std::find(legal.begin(), legal.end(), value.text) != legal.end()) return;
  std::string list;
  for (const auto& word : legal) list += (list.empty() ? "" : ", ") + std::string(word);
  throw ExpressionError(comparison.name + " is never \"" + value.text + "\"; it is one of " + list,
                        value.offset);
}

void check_words(const Block& block, const std::string& what, const Expression& rule) {
  constexpr std::string_view kDerive = "derive ";
  const std::string derived = what.starts_with(kDerive) ? what.substr(kDerive.size()) : "";
  if (const auto word = unknown_word(block, rule))
    throw ExpressionError(
        "unknown name \"" + *word + "\" in \"" + block.name + "\"" + word_remedy(block, rule, *word, derived),
        0);
}

[[noreturn]] void refuse_rule(const Block& block, const std::string& what, const ExpressionError& error) {
  throw SpecError("block " + block.name + ": " + what + ": " + error.what());
}

}  // namespace

std::optional<std::string> unknown_word(const Block& block, const Expression& rule) {
  std::set<std::string> values;
  for (const auto& comparison : text_comparisons(rule))
    if (is_known(block, comparison.name)) values.insert(comparison.value->text);
  for (const auto& word : words_of(rule))
    if (!is_known(block, word) && !values.contains(word) && word != "true" && word != "false") return word;
  return std::nullopt;
}

Expression checked_rule(const Block& block, const std::string& what, const std::string& text) {
  try {
    Expression rule = parse_expression(text);
    for (const auto& comparison : text_comparisons(rule)) check_comparison(block, comparison);
    check_words(block, what, rule);
    return rule;
  } catch (const ExpressionError& e) {
    refuse_rule(block, what, e);
  }
}

Expression named_rule(const Block& block, const std::string& what, const std::string& text) {
  try {
    Expression rule = parse_expression(text);
    check_words(block, what, rule);
    return rule;
  } catch (const ExpressionError& e) {
    refuse_rule(block, what, e);
  }
}

}  // namespace ranktide
