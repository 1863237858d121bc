#pragma once
// An expression, of a rule or a derivation, that hangs on every axis of its block, over many cells. Its parts
// hang on fewer: what a part is for one combination of those is asked of BlockCells once, and looked up from
// then on, so that a cell costs what joins the parts alone. Not const: its tables fill as they are asked. One
// thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/axis_reach.h"
#include "common/sweep/block_cells.h"
#include "common/sweep/expression.h"
#include "common/sweep/number_rule.h"

namespace ranktide {

class RuleWords {
 public:
  enum class Use { excludes, derives };  // what is derived is seen by the first alone

  // `meanings_max`: of all parts together. Requires: the rule has been checked; no axis of the block is drawn.
  // Reads the block now and not later.
  RuleWords(const Block& block, const AxisReach& reach, const std::string& rule, Use use, int64_t meanings_max);

  // Returns: whether the tables are worth their memory; where they are not, nothing may be asked.
  bool is_worth_it() const { return is_worth_it_; }

  // Returns: how many meanings the tables have room for. Requires: is_worth_it().
  int64_t meanings() const;

  // `stands`: the point on every axis of the block. Returns: the expression's value; nullopt where the cell
  // itself has to be looked at.
  std::optional<Json> value_at(const std::vector<uint32_t>& stands);

 private:
  struct Meaning {
    enum class Kind : uint8_t { unasked, unsure, nothing, value } kind = Kind::unasked;
    Json value{};
    PlainValue plain{};  // unknown unless it is of kind value
  };
  // A word, or an expression that hangs on no more axes than one of its words does.
  struct Part {
    std::string name;  // what stands for it in rule_
    Expression rule;
    std::vector<std::pair<size_t, int64_t>> strides;  // axis of the whole block -> cells from point to point
    BlockCells cells;
    std::vector<Meaning> meanings;  // by cell
  };
  class Hanging;  // which axes the expression and its operands hang on
  Expression taken_apart(const Block& block, const Hanging& hanging, const Expression& rule, int64_t& left);
  std::string part_of(const Block& block, const Reach& own, const Expression& rule, int64_t& left);
  Meaning ask(const Part& part, int64_t cell) const;
  const Meaning& meaning(Part& part, const std::vector<uint32_t>& stands);
  std::optional<Json> looked_up(const std::vector<uint32_t>& stands);

  Use use_;
  std::vector<Part> parts_;
  Expression rule_;                    // of the names of parts
  std::optional<NumberRule> numbers_;  // the same, where numbers and conditions are all that it takes
  bool is_worth_it_ = true;
};

}  // namespace ranktide
