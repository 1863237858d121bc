#pragma once
// tokenizer.json and the files beside it -> plain data. What is not understood is refused by name, because a
// tokenizer that is almost right trains a model that is quietly wrong. Encoding is elsewhere (splitter.h,
// bpe.h, tokenizer.h). Free functions; any thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/text/tokenizer_config.h"

namespace ranktide {

// What becomes of the matches of a splitting pattern, as `tokenizers` names it.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct SplitStage {
  std::string pattern;  // as in the file: Oniguruma's dialect
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  // the pieces are the matches and the gaps trade places
};

enum class Normalizer { none, nfc };

struct TokenizerFile {
  std::unordered_map<std::string, int32_t> vocabulary;      // byte-level spelling -> id
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  bool ignore_merges = false;                               // a piece that is in the vocabulary is one token
  Normalizer normalizer = Normalizer::none;
  std::vector<SplitStage> stages;  // each splits the pieces of the one before
  std::vector<AddedToken> added;   // by id, without repeats
  bool starts_with_bos = false;    // by the post-processor or tokenizer_config.json
  TokenizerConfig config;
  std::string sha256;  // of everything above
};

// Throws: TokenizerError (tokenizer.h).
TokenizerFile read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace ranktide
