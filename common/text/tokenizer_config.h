#pragma once
// The settings that stand beside tokenizer.json: which tokens begin and end a document, further added tokens,
// the chat template. Reads tokenizer_config.json, generation_config.json, config.json, chat_template.jinja;
// each may be absent. Free functions; any thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // only where no word character stands at either side
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space after it along
  bool normalized = false;   // looked for after normalisation instead of before
  bool special = false;
};

// Returns: the flags and content of one entry of `added_tokens` or `added_tokens_decoder`.
// Throws: TokenizerError that begins with `where`.
AddedToken read_added_token(const Json& entry, int32_t id, const std::string& where);

struct TokenizerConfig {
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::vector<int32_t> eos_ids;  // generation_config.json before config.json
  std::optional<bool> adds_bos;  // add_bos_token, where it is said
  std::vector<AddedToken>
      added;                  // added_tokens_decoder; where ids repeat those of tokenizer.json, this one wins
  std::string chat_template;  // empty: none
};

// Throws: TokenizerError for a file that is there but malformed.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

// Returns: the JSON of a file. Throws: TokenizerError with the place when it cannot be read or parsed.
Json read_json_file(const std::filesystem::path& path);

}  // namespace ranktide
