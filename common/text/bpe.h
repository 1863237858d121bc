#pragma once
// Byte-pair encoding of one piece: bytes -> tokens by the best-ranked merge first, leftmost among equals.
// Knows nothing of how text becomes pieces. One thread per object: it remembers pieces it has seen.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/text/tokenizer_file.h"

namespace ranktide {

// Returns: the text that stands for each byte in vocabularies (GPT-2's bytes_to_unicode), as UTF-8.
const std::array<std::string, 256>& byte_symbols();

// Returns: the bytes that a byte-level spelling stands for; the text itself when a character is no symbol.
std::string bytes_of_symbols(std::string_view spelling);

class Bpe {
 public:
  // `where` begins messages. Throws: TokenizerError when a merge speaks of tokens that the vocabulary lacks.
  Bpe(const TokenizerFile& file, const std::string& where);

  // Returns: the tokens of the piece; valid until the next call. Bytes without a token are left out.
  const std::vector<int32_t>& encode(std::string_view piece);

 private:
  class Merging;
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  template <class V>
  using ByBytes = std::unordered_map<std::string, V, Hash, std::equal_to<>>;

  const Merge* merge_of(int32_t left, int32_t right) const;
  std::vector<int32_t> merged(std::string_view piece) const;

  std::array<int32_t, 256> byte_ids_{};         // -1: none
  std::unordered_map<uint64_t, Merge> merges_;  // key: left << 32 | right
  ByBytes<int32_t> whole_pieces_;               // filled only for ignore_merges
  ByBytes<std::vector<int32_t>> seen_;
  std::vector<int32_t> last_;
};

}  // namespace ranktide
