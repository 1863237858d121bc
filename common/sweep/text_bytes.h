#pragma once
// What may stand in a text that a user hands in: UTF-8 without NUL. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace ranktide {

// Returns: the offset of the first byte that is not valid UTF-8 (or is NUL); npos when there is none.
size_t first_bad_byte(std::string_view text);

// Returns: the text's beginning of at most so many bytes, no character cut; the first character where that
// alone is longer. Messages go into JSON, which holds no part of a character.
std::string_view beginning(std::string_view text, size_t bytes_max);

// Returns: the text on one line, a control character as its escape (\n, \x1b): a message is shown on terminals.
std::string printable(std::string_view text);

}  // namespace ranktide
