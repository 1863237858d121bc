#include "common/sweep/rule_words.h"

#include <algorithm>
#include <map>
#include <set>

namespace ranktide {
namespace {

constexpr int64_t kMeaningsMax = 1 << 17;  // of one part; a table of more would cost what it spares

constexpr size_t kPartsMax = 16;  // then words alone: making a part costs what some thousand cells spare

// Thrown and caught here: an expression has no way to say that it does not know.
struct NotKnown {};

}  // namespace

// Every word is looked up once, whatever the expression: a spec may have as many rules as its text has room
// for.
class RuleWords::Hanging {
 public:
  Hanging(const Expression& rule, const AxisReach& reach) : reach_(reach) { look(rule); }

  // Returns: whether it hangs on the axes of one of its words, so that its table is no larger than the word's
  // would be. A list has no value by itself, and a number needs no table.
  bool as_a_word_does(const Expression& rule) const { return as_a_word_.contains(&rule); }

  Reach reach_of(const Expression& rule) const {
    Reach out;
    for (const std::string& word : words_of(rule)) out.add(words_.at(word));
    return out;
  }

 private:
  // Returns: its axes. A word that hangs on all of them stands in an operand that does, too.
  AxisSet look(const Expression& rule) {
    if (rule.kind == Expression::Kind::word) {
      as_a_word_.insert(&rule);
      const auto known = words_.find(rule.text);
      return (known != words_.end() ? known : words_.emplace(rule.text, reach_.of_rule(rule.text)).first)
          ->second.axes;
    }
    AxisSet out = 0;
    std::vector<std::pair<AxisSet, const Expression*>> looked;
    for (const Expression& operand : rule.operands) {
      looked.emplace_back(look(operand), &operand);
      out |= looked.back().first;
    }
    const bool does = std::any_of(looked.begin(), looked.end(), [&](const auto& operand) {
      return operand.first == out && as_a_word_.contains(operand.second);
    });
    if (does && rule.kind != Expression::Kind::list) as_a_word_.insert(&rule);
    return out;
  }

  const AxisReach& reach_;
  std::map<std::string, Reach> words_;
  std::set<const Expression*> as_a_word_;
};

RuleWords::RuleWords(const Block& block, const AxisReach& reach, const std::string& rule, Use use,
                     int64_t meanings_max)
    : use_(use) {
  const Expression whole = parse_expression(rule);
  int64_t left = meanings_max;
  rule_ = taken_apart(block, Hanging(whole, reach), whole, left);
  std::vector<std::string> names;
  for (const Part& part : parts_) names.push_back(part.name);
  numbers_ = NumberRule::of(rule_, names);
}

// A word keeps its name: beside a comparison one that is no name is a text.
Expression RuleWords::taken_apart(const Block& block, const Hanging& hanging, const Expression& rule,
                                  int64_t& left) {
  if (!is_worth_it_) return rule;
  Expression out{
      .kind = rule.kind, .text = rule.text, .number = rule.number, .operands = {}, .offset = rule.offset};
  const bool is_word = rule.kind == Expression::Kind::word;
  if (is_word || (hanging.as_a_word_does(rule) && parts_.size() < kPartsMax)) {
    out.text = part_of(block, hanging.reach_of(rule), rule, left);
    out.kind = Expression::Kind::word;
    return out;
  }
  for (const Expression& operand : rule.operands)
    out.operands.push_back(taken_apart(block, hanging, operand, left));
  return out;
}

// Returns: its name. A part that hangs on every axis would be asked as often as there are cells.
std::string RuleWords::part_of(const Block& block, const Reach& own, const Expression& rule, int64_t& left) {
  const bool is_word = rule.kind == Expression::Kind::word;
  const std::string name = is_word ? rule.text : "#" + std::to_string(parts_.size());
  if (std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.name == name; }))
    return name;
  Part part{
      .name = name, .rule = rule, .strides = {}, .cells = BlockCells(narrowed(block, own)), .meanings = {}};
  int64_t stride = 1;
  for (size_t axis = block.axes.size(); axis-- > 0;) {
    if ((own.axes >> axis & 1) == 0) continue;
    const auto points = static_cast<int64_t>(block.axes[axis].points.size());
    if (points > 1) part.strides.emplace_back(axis, stride);
    stride *= points;
    if (stride > kMeaningsMax) break;
  }
  is_worth_it_ = stride <= std::min(kMeaningsMax, left) && stride < crossed_cells(block);
  if (!is_worth_it_) return name;
  left -= stride;
  part.meanings.resize(static_cast<size_t>(stride));
  parts_.push_back(std::move(part));
  return name;
}

int64_t RuleWords::meanings() const {
  int64_t out = 0;
  for (const Part& part : parts_) out += std::ssize(part.meanings);
  return out;
}

// A default may hang on what is derived, and a derivation is worked out before that.
RuleWords::Meaning RuleWords::ask(const Part& part, int64_t cell) const {
  try {
    const auto found = use_ == Use::derives ? part.cells.underived_at(cell) : part.cells.at(cell);
    if (!found) return {.kind = Meaning::Kind::unsure};
    const NameLookup names = [&](const std::string& name) { return part.cells.meaning(name, *found); };
    auto value = part.rule.kind == Expression::Kind::word ? names(part.rule.text)
                                                          : std::optional(evaluate(part.rule, names));
    if (!value) return {.kind = Meaning::Kind::nothing};
    const PlainValue plain = plain_of(*value);
    return {.kind = Meaning::Kind::value, .value = *std::move(value), .plain = plain};
  } catch (const ExpressionError&) {
    return {.kind = Meaning::Kind::unsure};
  } catch (const SpecError&) {
    return {.kind = Meaning::Kind::unsure};
  }
}

const RuleWords::Meaning& RuleWords::meaning(Part& part, const std::vector<uint32_t>& stands) {
  int64_t cell = 0;
  for (const auto& [axis, stride] : part.strides) cell += stands[axis] * stride;
  Meaning& known = part.meanings[static_cast<size_t>(cell)];
  if (known.kind == Meaning::Kind::unasked) known = ask(part, cell);
  return known;
}

std::optional<Json> RuleWords::value_at(const std::vector<uint32_t>& stands) {
  if (numbers_) {
    const auto part_at = [&](size_t part) { return meaning(parts_[part], stands).plain; };
    const PlainValue plain = numbers_->at(part_at);
    if (plain.kind != PlainValue::Kind::unknown) return json_of(plain);
  }
  return looked_up(stands);
}

std::optional<Json> RuleWords::looked_up(const std::vector<uint32_t>& stands) {
  const NameLookup names = [&](const std::string& name) -> std::optional<Json> {
    const auto part = std::find_if(parts_.begin(), parts_.end(), [&](auto& p) { return p.name == name; });
    if (part == parts_.end()) return std::nullopt;
    const Meaning& found = meaning(*part, stands);
    if (found.kind == Meaning::Kind::unsure) throw NotKnown();
    return found.kind == Meaning::Kind::value ? std::optional(found.value) : std::nullopt;
  };
  try {
    return evaluate(rule_, names);
  } catch (const NotKnown&) {
    return std::nullopt;
  } catch (const ExpressionError&) {
    return std::nullopt;
  }
}

}  // namespace ranktide
