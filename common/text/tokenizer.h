#pragma once
// Text <-> token ids, exactly as Hugging Face `tokenizers` does it for byte-level BPE (GPT-2, Llama 3, Qwen2/3,
// SmolLM2, Mistral Tekken). Not a general tokenizer.json engine: every other shape is refused by name
// (tokenizer_file.h), and tokenizer.model (SentencePiece) is not read.
// One thread per object: encode() remembers pieces. Moving is cheap, copying is not offered.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ranktide {

// A tokenizer folder that cannot be used; the text says which file, what in it, and what to do.
struct TokenizerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What becomes of a special token's text (<|im_end|>, ...) inside the text that is encoded.
enum class Special {
  recognise,  // it becomes the special token, as Hugging Face does by default; for text we wrote ourselves
  as_text,    // it is spelled out in ordinary tokens; for user text, which must not be able to end a turn
};

class Tokenizer {
 public:
  // Reads tokenizer.json and, for bos, eos, further added tokens and the chat template, tokenizer_config.json,
  // generation_config.json, config.json and chat_template.jinja where they exist.
  // Throws: TokenizerError.
  static Tokenizer load(const std::filesystem::path& folder);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Returns: the ids of encode(add_special_tokens=False); with as_text those of encode_special_tokens = True.
  // Invalid UTF-8 is read as U+FFFD, one for each maximal invalid part, as Python's errors="replace" does.
  std::vector<int32_t> encode(std::string_view text, Special special) const;

  // Returns: the text of the ids, special tokens included; bytes that form no valid UTF-8 become U+FFFD.
  // Requires: every id is in [0, vocab_size()); ids without a token (padding rows of an embedding) give
  // nothing.
  std::string decode(std::span<const int32_t> ids) const;

  // Returns: the largest id + 1. An embedding may have more rows.
  int32_t vocab_size() const;
  // Returns: the id of a token by its exact text (added tokens) or byte-level spelling; nullopt when there is
  // none.
  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;           // the one that ends a document
  const std::vector<int32_t>& eos_ids() const;  // all that end a generation; eos() first where it exists
  bool starts_with_bos() const;                 // whether documents of this family begin with bos()
  const std::string& chat_template() const;     // Jinja source; empty: none
  // Returns: the content identity: tokenizer.json and the settings of the other files that change ids or
  // documents.
  const std::string& sha256() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace ranktide
