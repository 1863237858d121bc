#include "tests/common/text/mixed_text.h"

#include <fstream>
#include <vector>

#include "common/vocabulary/random.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr size_t kChunkBytes = 84'000;

using Texts = std::vector<std::string>;
using Ranges = std::vector<std::vector<uint32_t>>;  // {first, last} code point

struct Fragments {
  Texts words, code, spaces, odd;
  Ranges scripts, digits;
};
template <class Ar>
void fields(Ar& ar, Fragments& f) {
  ar("words", f.words)("code", f.code)("spaces", f.spaces)("odd", f.odd)("scripts", f.scripts)("digits",
                                                                                               f.digits);
}

const Fragments& fragments() {
  static const Fragments kFragments = [] {
    std::ifstream in(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer/fragments.json");
    return from_json<Fragments>(Json::parse(in));
  }();
  return kFragments;
}

template <class T>
const T& pick(SplitMix64& chance, const std::vector<T>& items) {
  return items[chance.below(items.size())];
}

std::string utf8(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
char upper(char c) {
  return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string words(SplitMix64& chance) {
  static const Texts kEnds = {".", ",", "!", "?", ":", ";", ".\n", ""};
  std::string text;
  const uint64_t count = 1 + chance.below(12);
  for (uint64_t i = 0; i < count; ++i) {
    std::string word = pick(chance, fragments().words);
    const uint64_t form = chance.below(10);
    if (form == 0)
      for (char& c : word) c = upper(c);
    if (form == 1) word[0] = upper(word[0]);
    text += (i > 0 ? " " : "") + word;
  }
  return text + pick(chance, kEnds);
}

std::string code_points(SplitMix64& chance, const Ranges& ranges, uint64_t most) {
  const auto& range = pick(chance, ranges);
  std::string text;
  const uint64_t count = 1 + chance.below(most);
  for (uint64_t i = 0; i < count; ++i)
    text += utf8(range[0] + static_cast<uint32_t>(chance.below(range[1] - range[0] + 1)));
  return text;
}

std::string spaces(SplitMix64& chance) {
  std::string text;
  const uint64_t count = 1 + chance.below(4);
  for (uint64_t i = 0; i < count; ++i) text += pick(chance, fragments().spaces);
  return text;
}

std::string fragment(SplitMix64& chance) {
  const uint64_t kind = chance.below(20);
  if (kind < 7) return words(chance);
  if (kind < 11) return pick(chance, fragments().code) + "\n";
  if (kind < 13) return code_points(chance, fragments().scripts, 20);
  if (kind < 15) return spaces(chance);
  if (kind < 17) return code_points(chance, fragments().digits, 9);
  return pick(chance, fragments().odd);
}

}  // namespace

std::string mixed_text(int number) {
  SplitMix64 chance(static_cast<uint64_t>(number) + 1);
  std::string text;
  while (text.size() < kChunkBytes) {
    text += fragment(chance);
    if (chance.below(2) == 1) text += ' ';
  }
  return text;
}

}  // namespace ranktide
