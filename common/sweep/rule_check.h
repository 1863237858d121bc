#pragma once
// The check of a rule (when, derive, exclude) against the block that it stands in, before any cell is touched:
// it parses, its names exist, and what it compares with is a value that the name can have. Pure.

#include <string>

#include "common/sweep/expression.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: the parsed rule. `what` names it in messages ("derive train.lr").
// Throws: SpecError `block lora: derive train.lr: ...`.
Expression checked_rule(const Block& block, const std::string& what, const std::string& text);

}  // namespace ranktide
