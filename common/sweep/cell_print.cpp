#include "common/sweep/cell_print.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/sweep/identity.h"

namespace ranktide {
namespace {

// Both halves of the product of two numbers: every bit of either in every bit of it.
uint64_t folded(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t eight_bytes(std::string_view text) {
  uint64_t out = 0;
  std::memcpy(&out, text.data(), std::min<size_t>(text.size(), 8));
  return out;
}

// Goes on from what stood before. Two lanes of what wyhash has one of (Wang Yi, public domain), each with
// numbers of its own (digits of pi, made odd), so that 128 bits come of it.
CellPrint print_after(CellPrint before, std::string_view text) {
  before.low ^= 0x243f6a8885a308d3 + text.size();
  before.high ^= 0x13198a2e03707345 + text.size();
  do {
    const uint64_t first = eight_bytes(text);
    text.remove_prefix(std::min<size_t>(text.size(), 8));
    const uint64_t second = eight_bytes(text);
    text.remove_prefix(std::min<size_t>(text.size(), 8));
    const uint64_t low = folded(before.low ^ first ^ 0xa4093822299f31d1, second ^ 0x082efa98ec4e6c89);
    const uint64_t high = folded(before.high ^ second ^ 0x452821e638d01377, first ^ 0xbe5466cf34e90c6d);
    before = {.high = high + before.low, .low = low + before.high};
  } while (!text.empty());
  return {.high = folded(before.high ^ 0xc0ac29b7c97c50dd, before.low ^ 0x3f84d5b5b5470917),
          .low = folded(before.low ^ 0x9216d5d98979fb1b, before.high ^ 0xd1310ba698dfb5ad)};
}

}  // namespace

CellPrint print_of(const std::string& key, const Json& value) {
  return print_after(print_after({}, key), canonical_json(value));
}

CellPrint print_of(const Json& identity) {
  CellPrint out;
  for (const auto& [key, value] : identity.items()) out += print_of(key, value);
  return out;
}

}  // namespace ranktide
