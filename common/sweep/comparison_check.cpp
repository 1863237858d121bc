#include "common/sweep/comparison_check.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

using ExpressionKind = Expression::Kind;

// A name, with what stands on the other side of `=`, `!=`, `in` or `not in`.
struct Compared {
  std::string name;
  const Expression* with;
};

void add_pair(const Expression& name, const Expression& with, std::vector<Compared>& out) {
  if (name.kind == ExpressionKind::word) out.push_back({name.text, &with});
}

void collect_compared(const Expression& e, std::vector<Compared>& out) {
  for (const Expression& operand : e.operands) collect_compared(operand, out);
  const bool compares = e.text == "=" || e.text == "!=" || e.text == "in" || e.text == "not in";
  if (e.kind != ExpressionKind::binary || !compares) return;
  const Expression& right = e.operands[1];
  const auto both = [&](const Expression& item) {
    add_pair(e.operands[0], item, out);
    add_pair(item, e.operands[0], out);
  };
  if (right.kind == ExpressionKind::list)
    for (const Expression& item : right.operands) both(item);
  else
    both(right);
}

std::vector<Compared> compared_in(const Expression& rule) {
  std::vector<Compared> out;
  collect_compared(rule, out);
  return out;
}

// The axis of rows or a zip; an axis of a key is that setting.
const Axis* labels_called(const Block& block, const std::string& name) {
  const auto it = std::find_if(block.axes.begin(), block.axes.end(), [&](auto& a) { return a.name == name; });
  return it == block.axes.end() || find_setting(name) ? nullptr : &*it;
}

bool is_truth(const Expression& e) {
  return e.kind == ExpressionKind::word && (e.text == "true" || e.text == "false");
}

bool is_literal(const Block& block, const Expression& e) {
  if (e.kind == ExpressionKind::number || e.kind == ExpressionKind::text) return true;
  return e.kind == ExpressionKind::word &&
         (is_truth(e) || (!labels_called(block, e.text) && !full_key(e.text)));
}

bool is_text(const Expression& literal) {
  return literal.kind != ExpressionKind::number && !is_truth(literal);
}

std::string shown_literal(const Expression& literal) {
  return is_text(literal) ? "\"" + literal.text + "\"" : literal.text;
}

bool is_among(const std::vector<std::string_view>& values, const std::string& text) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

std::string listed_words(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

bool is_absolute_name(const std::string& text) {
  return text.starts_with('/') || text.starts_with("hub:") || text.starts_with("sha256:");
}

constexpr const char* kNoQuotes = "; leave the quotes out";
constexpr const char* kUseRows = "; name the alternatives under rows and compare with the name";

// Returns: why a setting never equals the literal; nullopt where it may.
std::optional<std::string> never_equals(const Setting& setting, const Expression& literal) {
  const std::string never = " and never " + shown_literal(literal);
  switch (setting.type) {
    case SettingType::choice:
      if (is_text(literal) && is_among(setting.choices, literal.text)) return std::nullopt;
      return "is one of " + listed_words(setting.choices) + never;
    case SettingType::flag:
      if (is_truth(literal)) return std::nullopt;
      return "is true or false" + never + (literal.text == "true" || literal.text == "false" ? kNoQuotes : "");
    case SettingType::modules:
      if (is_text(literal) && !modules_of(literal.text).empty()) return std::nullopt;
      return "is attn, mlp, all, or modules joined by +" + never +
             nearest_remedy(literal.text, {"attn", "mlp", "all"});
    case SettingType::count:
    case SettingType::number:
    case SettingType::share:
    case SettingType::duration:
    case SettingType::size:
    case SettingType::steps_or_share:
      if (literal.kind == ExpressionKind::number) return std::nullopt;
      return "is a number" + never + (read_number(literal.text) ? kNoQuotes : "");
    case SettingType::text:
      if (is_text(literal)) return std::nullopt;
      return "is a text" + never + "; write it in quotes: '" + literal.text + "'";
    case SettingType::folder:
      if (is_text(literal) && is_absolute_name(literal.text)) return std::nullopt;
      return "is a whole path" + never + kUseRows;
    case SettingType::source:
      if (is_text(literal) && literal.text.starts_with("trial:")) return std::nullopt;
      return "is trial:ID" + never;
    case SettingType::two_numbers:
    case SettingType::sources:
    case SettingType::names:
    case SettingType::replay:
    case SettingType::evals:
    case SettingType::moments:
    case SettingType::labels:
      return "is a list or a map, which equals no one value" + std::string(kUseRows);
  }
  return std::nullopt;
}

// Labels are texts, also those that look like numbers. Which there are, checked_rule() knows.
std::optional<std::string> never_labelled(const Expression& literal) {
  if (is_text(literal)) return std::nullopt;
  return "has labels, which are texts; write it in quotes: '" + literal.text + "'";
}

std::optional<std::string> refusal_of(const Block& block, const Compared& compared) {
  if (!is_literal(block, *compared.with)) return std::nullopt;
  if (labels_called(block, compared.name)) {
    const auto wrong = never_labelled(*compared.with);
    return wrong ? std::optional(compared.name + " " + *wrong) : std::nullopt;
  }
  const auto key = full_key(compared.name);
  const auto wrong = key ? never_equals(*find_setting(*key), *compared.with) : std::nullopt;
  return wrong ? std::optional(*key + " " + *wrong) : std::nullopt;
}

// What a person wrote without spaces: attn+mlp, alpha/sqrt(r), my-label.
std::string spelled(const Expression& e) {
  switch (e.kind) {
    case ExpressionKind::binary:
      return spelled(e.operands[0]) + e.text + spelled(e.operands[1]);
    case ExpressionKind::call:
      return e.text + "(" + spelled(e.operands[0]) + ")";
    default:
      return e.text;
  }
}

bool holds_word(const Expression& e, const std::string& word) {
  const auto words = words_of(e);
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_value_of(const Setting& setting, const std::string& text) {
  if (setting.type == SettingType::modules) return !modules_of(text).empty();
  return is_among(setting.choices, text);
}

bool is_value_of(const Block& block, const std::string& name, const std::string& text) {
  if (const Axis* axis = labels_called(block, name))
    return axis->points.size() == 1 ||  // a pinned axis has lost its other labels
           std::any_of(axis->points.begin(), axis->points.end(),
                       [&](auto& point) { return point.label == text; });
  const auto key = full_key(name);
  return key && is_value_of(*find_setting(*key), text);
}

// What an expression may come to.
std::vector<const Expression*> results_of(const Expression& rule) {
  if (rule.kind != ExpressionKind::choose) return {&rule};
  std::vector<const Expression*> out = results_of(rule.operands[0]);
  for (const Expression* other : results_of(rule.operands[2])) out.push_back(other);
  return out;
}

// Returns: the value that the word is, or is a part of; nullopt for none.
std::optional<std::string> value_around(const Block& block, const Expression& rule, const std::string& word,
                                        const std::string& derived) {
  for (const Compared& compared : compared_in(rule))
    if (holds_word(*compared.with, word) && is_value_of(block, compared.name, spelled(*compared.with)))
      return spelled(*compared.with);
  const Setting* setting = find_setting(derived);
  for (const Expression* result : results_of(rule))
    if (setting && holds_word(*result, word) && is_value_of(*setting, spelled(*result)))
      return spelled(*result);
  return std::nullopt;
}

// Returns: a name with a dash, which reads as a difference.
std::optional<std::string> name_with_a_dash(const Block& block, const Expression& e, const std::string& word) {
  if (e.kind == ExpressionKind::binary && e.text == "-" && holds_word(e, word) &&
      labels_called(block, spelled(e)))
    return spelled(e);
  for (const Expression& operand : e.operands)
    if (auto name = name_with_a_dash(block, operand, word)) return name;
  return std::nullopt;
}

}  // namespace

void refuse_impossible_comparisons(const Block& block, const std::string& what, const Expression& rule) {
  for (const Compared& compared : compared_in(rule))
    if (const auto wrong = refusal_of(block, compared))
      throw SpecError("block " + block.name + ": " + what + ": " + *wrong);
}

std::string word_remedy(const Block& block, const Expression& rule, const std::string& word,
                        const std::string& derived) {
  if (const auto name = name_with_a_dash(block, rule, word))
    return "; in an expression a dash is a minus, so no rule can name " + *name +
           ": give that axis another name";
  if (const auto value = value_around(block, rule, word, derived))
    return "; write the value in quotes: '" + *value + "'";
  return key_remedy(word);
}

}  // namespace ranktide
