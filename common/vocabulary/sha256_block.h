#pragma once
// The inner step of SHA-256, in plain C++ and in the processor's own instructions. Sha256 picks; others use
// that. Pure functions.

#include <array>
#include <cstdint>

namespace ranktide {

using Sha256State = std::array<uint32_t, 8>;

// Takes one block of 64 bytes into the state.
void sha256_block_in_cpp(Sha256State& state, const unsigned char* bytes);

// Returns: whether this processor has instructions for it (x86 with SHA extensions).
bool has_sha256_instructions();
// The same as sha256_block_in_cpp. Requires: has_sha256_instructions().
void sha256_block_by_instructions(Sha256State& state, const unsigned char* bytes);

}  // namespace ranktide
