#pragma once
// The text on which our tokenizer is compared with Hugging Face's: code, prose, scripts, emoji, odd white
// space, digits. The same bytes as tests/golden/mixed_text.py writes, from the same fragments and seeds.

#include <string>

namespace ranktide {

constexpr int kMixedChunks = 64;

// Returns: chunk `number` of kMixedChunks, at least 84,000 bytes of valid UTF-8.
std::string mixed_text(int number);

}  // namespace ranktide
