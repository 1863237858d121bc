#pragma once
// The check of a rule (when, derive, exclude) against the block that it stands in, before any cell is touched:
// it parses, its names exist, and what it compares with is a value that the name can have. Pure.

#include <optional>
#include <string>

#include "common/sweep/expression.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: the parsed rule. `what` names it in messages ("derive train.lr").
// Throws: SpecError `block lora: derive train.lr: ...`.
Expression checked_rule(const Block& block, const std::string& what, const std::string& text);

// The same, but for the values that it compares with: a rule of all blocks speaks of labels that some of them
// have.
Expression named_rule(const Block& block, const std::string& what, const std::string& text);

// Returns: a word of the rule that is no name in the block, nor a value beside one; nullopt where there is
// none.
std::optional<std::string> unknown_word(const Block& block, const Expression& rule);

}  // namespace ranktide
