#include "common/text/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "common/text/added_tokens.h"
#include "common/text/bpe.h"
#include "common/text/splitter.h"
#include "common/text/tokenizer_file.h"
#include "common/text/unicode.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

std::string normalized(std::string_view text, Normalizer normalizer) {
  return normalizer == Normalizer::nfc ? nfc(text) : std::string(text);
}

AddedTokens tokens_of_raw_text(const TokenizerFile& file) {
  std::vector<AddedToken> tokens = file.added;
  std::erase_if(tokens, [](const AddedToken& token) { return token.normalized; });
  return AddedTokens(std::move(tokens));
}

AddedTokens tokens_of_normalized_text(const TokenizerFile& file) {
  std::vector<AddedToken> tokens = file.added;
  std::erase_if(tokens, [](const AddedToken& token) { return !token.normalized; });
  for (AddedToken& token : tokens) token.content = normalized(token.content, file.normalizer);
  return AddedTokens(std::move(tokens));
}

}  // namespace

struct Tokenizer::Parts {
  Normalizer normalizer;
  AddedTokens added_raw;
  AddedTokens added_normalized;
  std::vector<Splitter> splitters;
  Bpe bpe;
  std::unordered_map<std::string, int32_t>
      id_by_token;  // added tokens by their text, others by byte-level spelling
  std::vector<std::string> bytes_by_id;
  TokenizerConfig config;
  bool starts_with_bos;
  std::string sha256;
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::vector<int32_t> eos_ids;

  Parts(TokenizerFile file, const std::filesystem::path& folder);
  void name_tokens(const TokenizerFile& file);
  void find_ends(const std::filesystem::path& folder);
  std::optional<int32_t> configured(const std::optional<std::string>& token, const std::string& where) const;
  std::vector<int32_t> encode_pieces(std::string_view text);
};

Tokenizer::Parts::Parts(TokenizerFile file, const std::filesystem::path& folder)
    : normalizer(file.normalizer),
      added_raw(tokens_of_raw_text(file)),
      added_normalized(tokens_of_normalized_text(file)),
      bpe(file, (folder / "tokenizer.json").string()),
      starts_with_bos(file.starts_with_bos),
      sha256(file.sha256) {
  for (const SplitStage& stage : file.stages) splitters.emplace_back(stage);
  name_tokens(file);
  config = std::move(file.config);
  find_ends(folder);
}

void Tokenizer::Parts::name_tokens(const TokenizerFile& file) {
  const auto place = [&](int32_t id) -> std::string& {
    if (id < 0) throw TokenizerError("tokenizer.json: a token has the id " + std::to_string(id));
    bytes_by_id.resize(std::max(bytes_by_id.size(), static_cast<size_t>(id) + 1));
    return bytes_by_id[static_cast<size_t>(id)];
  };
  id_by_token = file.vocabulary;
  for (const auto& [spelling, id] : file.vocabulary) place(id) = bytes_of_symbols(spelling);
  for (const AddedToken& token : file.added) {
    id_by_token[token.content] = token.id;
    place(token.id) = token.content;
  }
}

std::optional<int32_t> Tokenizer::Parts::configured(const std::optional<std::string>& token,
                                                    const std::string& where) const {
  if (!token) return std::nullopt;
  const auto it = id_by_token.find(*token);
  if (it == id_by_token.end())
    throw TokenizerError(where + " is \"" + *token +
                         "\", which is no token of tokenizer.json; the two files may be of different models");
  return it->second;
}

void Tokenizer::Parts::find_ends(const std::filesystem::path& folder) {
  const std::string file = (folder / "tokenizer_config.json").string();
  bos = configured(config.bos, file + ": bos_token");
  eos = configured(config.eos, file + ": eos_token");
  if (!eos && !config.eos_ids.empty()) eos = config.eos_ids.front();
  if (eos) eos_ids.push_back(*eos);
  for (const int32_t id : config.eos_ids)
    if (std::find(eos_ids.begin(), eos_ids.end(), id) == eos_ids.end()) eos_ids.push_back(id);
}

std::vector<int32_t> Tokenizer::Parts::encode_pieces(std::string_view text) {
  std::vector<int32_t> ids;
  std::vector<std::string_view> pieces{text};
  for (const Splitter& splitter : splitters) pieces = splitter.split(pieces);
  for (const std::string_view piece : pieces) {
    const std::vector<int32_t>& tokens = bpe.encode(piece);
    ids.insert(ids.end(), tokens.begin(), tokens.end());
  }
  return ids;
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  return Tokenizer(std::make_unique<Parts>(read_tokenizer_folder(folder), folder));
}

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, Special special) const {
  const std::string valid = valid_utf8(text);
  std::vector<int32_t> ids;
  for (const Stretch& raw : parts_->added_raw.find(valid, special)) {
    if (raw.added_id) {
      ids.push_back(*raw.added_id);
      continue;
    }
    const std::string plain = normalized(raw.text, parts_->normalizer);
    for (const Stretch& stretch : parts_->added_normalized.find(plain, special)) {
      const auto more = stretch.added_id ? std::vector{*stretch.added_id} : parts_->encode_pieces(stretch.text);
      ids.insert(ids.end(), more.begin(), more.end());
    }
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    RT_CHECK(id >= 0);
    RT_CHECK(id < vocab_size());
    bytes += parts_->bytes_by_id[static_cast<size_t>(id)];
  }
  return valid_utf8(bytes);
}

int32_t Tokenizer::vocab_size() const {
  return static_cast<int32_t>(parts_->bytes_by_id.size());
}
std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const auto it = parts_->id_by_token.find(std::string(token));
  return it == parts_->id_by_token.end() ? std::nullopt : std::optional(it->second);
}
std::optional<int32_t> Tokenizer::bos() const {
  return parts_->bos;
}
std::optional<int32_t> Tokenizer::eos() const {
  return parts_->eos;
}
const std::vector<int32_t>& Tokenizer::eos_ids() const {
  return parts_->eos_ids;
}
bool Tokenizer::starts_with_bos() const {
  return parts_->starts_with_bos;
}
const std::string& Tokenizer::chat_template() const {
  return parts_->config.chat_template;
}
const std::string& Tokenizer::sha256() const {
  return parts_->sha256;
}

}  // namespace ranktide
