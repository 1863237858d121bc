#include "common/text/tokenizer_file.h"

#include <algorithm>
#include <map>

#include "common/text/tokenizer.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr const char* kSupported =
    "supported are byte-level BPE tokenizers as those of GPT-2, Llama 3, Qwen2/3, SmolLM2 and Mistral Tekken";

// `tokenizers`' own ByteLevel pattern (GPT-2).
constexpr const char* kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

// Reads one tokenizer.json; `where_` begins every message.
class Reader {
 public:
  Reader(const Json& root, std::string where) : root_(root), where_(std::move(where)) {}

  TokenizerFile read() {
    TokenizerFile file;
    read_model(file);
    file.normalizer = normalizer(root_.value("normalizer", Json()));
    read_stages(root_.value("pre_tokenizer", Json()), file.stages);
    if (!byte_level_) refuse("pre_tokenizer", "without a ByteLevel stage");
    check_decoder(root_.value("decoder", Json()));
    file.starts_with_bos = adds_bos(root_.value("post_processor", Json()));
    for (const Json& entry : root_.value("added_tokens", Json::array()))
      file.added.push_back(read_added_token(entry, entry.value("id", -1), where_));
    return file;
  }

 private:
  [[noreturn]] void refuse(const std::string& part, const std::string& what) const {
    throw TokenizerError(where_ + ": " + part + " " + what + " is not supported: " + kSupported);
  }
  static std::string type_of(const Json& part) { return part.is_object() ? part.value("type", "") : ""; }

  void read_model(TokenizerFile& file) const {
    const Json& model = root_.contains("model") ? root_["model"] : root_;
    const std::string type = model.value("type", model.contains("merges") ? "BPE" : "");
    if (type != "BPE")
      throw TokenizerError(where_ + ": tokenizer kind " + quoted(type) + " is not supported: " + kSupported);
    if (model.value("byte_fallback", false))
      refuse("BPE", "with byte_fallback (SentencePiece families: Llama 1/2, Mistral v1)");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (model.contains(key) && model[key].is_string() && model[key] != "")
        refuse("BPE", std::string("with ") + key);
    if (model.contains("dropout") && model["dropout"].is_number() && model["dropout"] != 0)
      refuse("BPE", "with dropout");
    file.ignore_merges = model.value("ignore_merges", false);
    for (const auto& [token, id] : model.at("vocab").items()) file.vocabulary.emplace(token, id.get<int32_t>());
    for (const Json& entry : model.at("merges")) file.merges.push_back(merge(entry));
  }

  std::pair<std::string, std::string> merge(const Json& entry) const {
    if (entry.is_array() && entry.size() == 2)
      return {entry[0].get<std::string>(), entry[1].get<std::string>()};
    const std::string text = entry.is_string() ? entry.get<std::string>() : "";
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
      throw TokenizerError(where_ + ": the merge " + entry.dump() + " is not a pair of tokens");
    return {text.substr(0, space), text.substr(space + 1)};
  }

  Normalizer normalizer(const Json& part) const {
    if (part.is_null()) return Normalizer::none;
    const std::string type = type_of(part);
    if (type == "NFC") return Normalizer::nfc;
    if (type != "Sequence") refuse("normalizer", quoted(type));
    Normalizer all = Normalizer::none;
    for (const Json& one : part.at("normalizers"))
      if (normalizer(one) == Normalizer::nfc) all = Normalizer::nfc;
    return all;
  }

  void read_stages(const Json& part, std::vector<SplitStage>& stages) {
    if (part.is_null()) return;
    const std::string type = type_of(part);
    // ByteLevel replaces bytes by symbols: a later stage would match against those.
    if (byte_level_) refuse("pre_tokenizer", quoted(type) + " after ByteLevel");
    if (type == "Sequence") {
      for (const Json& one : part.at("pretokenizers")) read_stages(one, stages);
    } else if (type == "Split") {
      stages.push_back(split(part));
    } else if (type == "Digits") {
      const bool single = part.value("individual_digits", false);
      stages.push_back({R"(\p{N})", single ? SplitBehavior::isolated : SplitBehavior::contiguous});
    } else if (type == "ByteLevel") {
      if (part.value("add_prefix_space", true)) refuse("pre_tokenizer", "ByteLevel with add_prefix_space");
      if (part.value("use_regex", true)) stages.push_back({kByteLevelPattern, SplitBehavior::isolated});
      byte_level_ = true;
    } else {
      refuse("pre_tokenizer", quoted(type));
    }
  }

  SplitStage split(const Json& part) const {
    static const std::map<std::string, SplitBehavior> kBehaviors = {
        {"Removed", SplitBehavior::removed},
        {"Isolated", SplitBehavior::isolated},
        {"MergedWithPrevious", SplitBehavior::merged_with_previous},
        {"MergedWithNext", SplitBehavior::merged_with_next},
        {"Contiguous", SplitBehavior::contiguous}};
    const auto behavior = kBehaviors.find(part.value("behavior", ""));
    if (behavior == kBehaviors.end())
      refuse("pre_tokenizer", "Split with behavior " + quoted(part.value("behavior", "")));
    const Json pattern = part.value("pattern", Json::object());
    SplitStage stage{.pattern = "", .behavior = behavior->second, .invert = part.value("invert", false)};
    if (pattern.contains("Regex"))
      stage.pattern = pattern["Regex"].get<std::string>();
    else if (pattern.contains("String"))
      stage.pattern = literal(pattern["String"].get<std::string>());
    else
      refuse("pre_tokenizer", "Split without a Regex or String pattern");
    return stage;
  }

  // Returns: a pattern that matches exactly this text.
  static std::string literal(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c >= '!' && c <= '~' && !std::isalnum(static_cast<unsigned char>(c))) out += '\\';
      out += c;
    }
    return out;
  }

  void check_decoder(const Json& part) const {
    if (!part.is_null() && type_of(part) != "ByteLevel") refuse("decoder", quoted(type_of(part)));
  }

  // Only what encode(add_special_tokens=True) would put first matters here: it says how documents of the family
  // begin.
  bool adds_bos(const Json& part) const {
    if (part.is_null()) return false;
    const std::string type = type_of(part);
    if (type == "ByteLevel") return false;
    if (type == "Sequence") {
      const Json& parts = part.at("processors");
      return std::any_of(parts.begin(), parts.end(), [&](const Json& one) { return adds_bos(one); });
    }
    if (type != "TemplateProcessing") refuse("post_processor", quoted(type));
    const Json single = part.value("single", Json::array());
    return !single.empty() && single[0].contains("SpecialToken");
  }

  const Json& root_;
  std::string where_;
  bool byte_level_ = false;
};

TokenizerFile read_tokenizer_json(const std::filesystem::path& path) {
  const Json root = read_json_file(path);
  try {
    return Reader(root, path.string()).read();
  } catch (const Json::exception& e) {  // a part is missing or of another type
    throw TokenizerError(path.string() + ": not a tokenizer.json of Hugging Face tokenizers (" + e.what() +
                         ")");
  }
}

// tokenizer_config.json may name tokens that tokenizer.json lacks, and its flags win, as in transformers.
void merge_added(const std::vector<AddedToken>& further, std::vector<AddedToken>& added) {
  for (const AddedToken& token : further) {
    const auto known =
        std::find_if(added.begin(), added.end(), [&](const AddedToken& a) { return a.id == token.id; });
    if (known != added.end())
      *known = token;
    else
      added.push_back(token);
  }
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

std::string identity(const std::string& json_sha256, const TokenizerFile& file) {
  Json added = Json::array();
  for (const AddedToken& t : file.added)
    added.push_back({t.id, t.content, t.single_word, t.lstrip, t.rstrip, t.normalized, t.special});
  const Json all = {{"tokenizer.json", json_sha256},
                    {"added", added},
                    {"bos", to_json(file.config.bos)},
                    {"eos", to_json(file.config.eos)},
                    {"eos_ids", to_json(file.config.eos_ids)},
                    {"starts_with_bos", file.starts_with_bos},
                    {"chat_template", file.config.chat_template}};
  return sha256_hex(all.dump());
}

}  // namespace

TokenizerFile read_tokenizer_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    const bool sentencepiece = std::filesystem::exists(folder / "tokenizer.model");
    throw TokenizerError(
        folder.string() +
        (sentencepiece
             ? ": has only tokenizer.model (SentencePiece), which is not supported: " + std::string(kSupported)
             : ": has no tokenizer.json; save the tokenizer there with "
               "AutoTokenizer.from_pretrained(...).save_pretrained(folder)"));
  }
  TokenizerFile file = read_tokenizer_json(path);
  file.config = read_tokenizer_config(folder);
  merge_added(file.config.added, file.added);
  if (file.config.adds_bos) file.starts_with_bos = *file.config.adds_bos;
  if (!file.config.bos) file.starts_with_bos = false;
  file.sha256 = identity(sha256_of_file(path), file);
  return file;
}

}  // namespace ranktide
