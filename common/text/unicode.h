#pragma once
// The little Unicode that tokenization needs: valid UTF-8, NFC, and two character classes. Not a text library.
// Pure functions; any thread. Character data is utf8proc's (Unicode 14).

#include <cstdint>
#include <string>
#include <string_view>

namespace ranktide {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;
};

// Requires: `text` is not empty and valid UTF-8.
CodePoint first_code_point(std::string_view text);
CodePoint last_code_point(std::string_view text);

// Returns: `text` with every maximal invalid part replaced by U+FFFD, as Python's errors="replace" does.
std::string valid_utf8(std::string_view text);

// Returns: the canonical composition. Requires: valid UTF-8.
std::string nfc(std::string_view text);

// White_Space, as `\s` of Rust's regex crate.
bool is_white_space(char32_t c);
// Alphabetic, marks, decimal digits, connector punctuation, joiners, as `\w` of Rust's regex crate.
bool is_word_character(char32_t c);

// Returns: how many bytes of white space stand at the begin or the end. Requires: valid UTF-8.
size_t leading_white_space(std::string_view text);
size_t trailing_white_space(std::string_view text);

}  // namespace ranktide
