#pragma once
// The difference of two runs of 32-bit words, laid out so that a compressor finds it small: what changed little
// differs in its low bytes only, and those stand apart from the high ones. Exact whatever the words mean. Pure.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ranktide {

// Returns: four planes of one byte a word, the lowest first: words - from, modulo 2^32, its sign folded into
// the lowest bit so that small ones of either sign have zeros above. Requires: as many words in both.
std::vector<std::byte> word_delta(std::span<const uint32_t> words, std::span<const uint32_t> from);

// Turns `from` into the words that the delta was made of. Requires: four bytes of delta a word.
void add_word_delta(std::span<uint32_t> from, std::span<const std::byte> delta);

}  // namespace ranktide
