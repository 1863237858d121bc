#include "common/model/word_delta.h"

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr size_t kPlanes = 4;

// 0, -1, 1, -2, 2 ... -> 0, 1, 2, 3, 4 ...
uint32_t folded(uint32_t difference) {
  return (difference << 1) ^ (0 - (difference >> 31));
}

uint32_t unfolded(uint32_t folded) {
  return (folded >> 1) ^ (0 - (folded & 1));
}

}  // namespace

std::vector<std::byte> word_delta(std::span<const uint32_t> words, std::span<const uint32_t> from) {
  RT_CHECK(words.size() == from.size());
  std::vector<std::byte> planes(kPlanes * words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    const uint32_t value = folded(words[i] - from[i]);
    for (size_t plane = 0; plane < kPlanes; ++plane)
      planes[plane * words.size() + i] = static_cast<std::byte>(value >> (8 * plane));
  }
  return planes;
}

void add_word_delta(std::span<uint32_t> from, std::span<const std::byte> delta) {
  RT_CHECK(delta.size() == kPlanes * from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    uint32_t value = 0;
    for (size_t plane = 0; plane < kPlanes; ++plane)
      value |= std::to_integer<uint32_t>(delta[plane * from.size() + i]) << (8 * plane);
    from[i] += unfolded(value);
  }
}

}  // namespace ranktide
