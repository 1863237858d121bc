#pragma once
// What a rule compares with, looked at as a person wrote it: a comparison that no cell can make true, which
// would take the other branch without a word, and values that an expression reads as something else. Stricter
// than checked_rule (rule_check.h): files and the command line are asked this, specs of older versions are not.
// Pure.

#include <string>

#include "common/sweep/expression.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Throws: SpecError `block lora: derive train.lr: lora.rank is a number and never "four"`. `what` names the
// rule in messages. Requires: checked_rule() accepts it.
void refuse_impossible_comparisons(const Block& block, const std::string& what, const Expression& rule);

// Returns: what to do about a word of the rule that is no name: `; write the value in quotes: 'attn+mlp'` where
// it is part of one, else a did-you-mean. `derived`: the key that the rule is for; empty: none.
std::string word_remedy(const Block& block, const Expression& rule, const std::string& word,
                        const std::string& derived);

}  // namespace ranktide
