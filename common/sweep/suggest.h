#pragma once
// Did-you-mean: the nearest known word, and the words that other tools use for the same thing. Suggestions
// only; nothing is ever accepted under another name. Pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ranktide {

// Returns: `; did you mean "x"?` for the nearest of the candidates, or "" when none is near.
std::string nearest_remedy(std::string_view word, const std::vector<std::string_view>& candidates);

// The same for a key of a sweep file: knows every setting and construct, last parts ("rank"), and other tools'
// words ("learning_rate", "lora_r", "max_restarts"). Says where a construct stands that is read elsewhere.
// `more` are names of this file: rows axes, blocks.
std::string key_remedy(std::string_view key, const std::vector<std::string>& more = {});

// Returns: for a word by which another tool spells an axis ({vals: [...]}, {minval: 1, maxval: 9}), what stands
// in its place here, as a remedy; "" for any other word.
std::string axis_word_remedy(std::string_view word);

// Returns: the key or construct of ours for a word that other tools use for it; nullopt for any other word.
std::optional<std::string_view> foreign_word(std::string_view word);

}  // namespace ranktide
