#include "common/sweep/rule_words.h"

#include <algorithm>

namespace ranktide {
namespace {

constexpr int64_t kMeaningsMax = 1 << 17;  // of one word; a table of more would cost what it spares

// Thrown and caught here: an expression has no way to say that it does not know.
struct NotKnown {};

}  // namespace

RuleWords::RuleWords(const Block& block, const AxisReach& reach, const std::string& rule, Use use,
                     int64_t meanings_max)
    : rule_(parse_expression(rule)), use_(use) {
  const int64_t cells = crossed_cells(block);
  int64_t left = meanings_max;
  for (const std::string& name : words_of(rule_)) {
    const Reach own = reach.of_rule(name);
    Word word{.name = name, .strides = {}, .cells = BlockCells(narrowed(block, own)), .meanings = {}};
    int64_t stride = 1;
    for (size_t axis = block.axes.size(); axis-- > 0;) {
      if ((own.axes >> axis & 1) == 0) continue;
      const auto points = static_cast<int64_t>(block.axes[axis].points.size());
      if (points > 1) word.strides.emplace_back(axis, stride);
      stride *= points;
      if (stride > kMeaningsMax) break;
    }
    // A word that hangs on every axis would be asked as often as there are cells.
    is_worth_it_ = stride <= std::min(kMeaningsMax, left) && stride < cells;
    if (!is_worth_it_) return;
    left -= stride;
    word.meanings.resize(static_cast<size_t>(stride));
    words_.push_back(std::move(word));
  }
}

int64_t RuleWords::meanings() const {
  int64_t out = 0;
  for (const Word& word : words_) out += std::ssize(word.meanings);
  return out;
}

// A default may hang on what is derived, and a derivation is worked out before that.
RuleWords::Meaning RuleWords::ask(const Word& word, int64_t cell) const {
  try {
    const auto found = use_ == Use::derives ? word.cells.underived_at(cell) : word.cells.at(cell);
    if (!found) return {.kind = Meaning::Kind::unsure};
    auto value = word.cells.meaning(word.name, *found);
    if (!value) return {.kind = Meaning::Kind::nothing};
    return {.kind = Meaning::Kind::value, .value = *std::move(value)};
  } catch (const ExpressionError&) {
    return {.kind = Meaning::Kind::unsure};
  } catch (const SpecError&) {
    return {.kind = Meaning::Kind::unsure};
  }
}

const RuleWords::Meaning& RuleWords::meaning(Word& word, const std::vector<uint32_t>& stands) {
  int64_t cell = 0;
  for (const auto& [axis, stride] : word.strides) cell += stands[axis] * stride;
  Meaning& known = word.meanings[static_cast<size_t>(cell)];
  if (known.kind == Meaning::Kind::unasked) known = ask(word, cell);
  return known;
}

std::optional<Json> RuleWords::value_at(const std::vector<uint32_t>& stands) {
  const NameLookup names = [&](const std::string& name) -> std::optional<Json> {
    const auto word = std::find_if(words_.begin(), words_.end(), [&](auto& w) { return w.name == name; });
    if (word == words_.end()) return std::nullopt;
    const Meaning& found = meaning(*word, stands);
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
