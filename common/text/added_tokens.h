#pragma once
// Finds added tokens (<|im_end|>, ...) in text before anything else looks at it: leftmost, then longest, with
// the white-space and word rules of Hugging Face tokenizers. Immutable after construction; any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/text/tokenizer.h"
#include "common/text/tokenizer_file.h"

namespace ranktide {

// A stretch of text: one added token, or ordinary text.
struct Stretch {
  std::string_view text;
  std::optional<int32_t> added_id;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Of two tokens with equal text the first one is found.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Returns: stretches that together are `text`, none empty. Requires: valid UTF-8.
  std::vector<Stretch> find(std::string_view text, Special special) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::array<std::vector<size_t>, 256> by_first_byte_;  // indices into tokens_, longest first
};

}  // namespace ranktide
