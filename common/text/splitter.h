#pragma once
// One pre-tokenizer stage: cuts text into pieces at the matches of a regular expression. Patterns are
// Oniguruma's as in tokenizer.json; the engine is PCRE2 with JIT, which stays in the .cpp file. One thread per
// object: matches share one buffer.

#include <memory>
#include <string_view>
#include <vector>

#include "common/text/tokenizer_file.h"

namespace ranktide {

class Splitter {
 public:
  // Throws: TokenizerError when the pattern does not compile.
  explicit Splitter(const SplitStage& stage);
  Splitter(Splitter&&) noexcept;
  Splitter& operator=(Splitter&&) noexcept;
  ~Splitter();

  // Returns: the pieces of all `texts` in order, none empty; each points into the text it comes from. A pattern
  // looks no further than the text it is applied to. Requires: valid UTF-8. Throws: TokenizerError when
  // matching goes over its limits.
  std::vector<std::string_view> split(const std::vector<std::string_view>& texts) const;

 private:
  struct Regex;
  std::unique_ptr<Regex> regex_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace ranktide
