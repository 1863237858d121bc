#include "common/text/tokenizer_config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/text/tokenizer.h"

namespace ranktide {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  if (in) bytes << in.rdbuf();
  if (!in) throw TokenizerError(path.string() + ": cannot be read (" + std::strerror(errno) + ")");
  return bytes.str();
}

Json read_optional(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? read_json_file(path) : Json::object();
}

// bos_token and its like are a text, or an object with the text in `content`, or null.
std::optional<std::string> token_text(const Json& config, const char* key) {
  const Json value = config.value(key, Json());
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string())
    return value["content"].get<std::string>();
  return std::nullopt;
}

std::vector<int32_t> token_ids(const Json& config, const char* key) {
  const Json value = config.value(key, Json());
  std::vector<int32_t> ids;
  if (value.is_number_integer()) ids.push_back(value.get<int32_t>());
  if (value.is_array())
    for (const Json& id : value)
      if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
  return ids;
}

// One template, or a list of named ones of which "default" is meant.
std::string chat_template_of(const Json& config, const std::filesystem::path& folder) {
  const std::filesystem::path own_file = folder / "chat_template.jinja";
  if (std::filesystem::exists(own_file)) return read_file(own_file);
  const Json value = config.value("chat_template", Json());
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array())
    for (const Json& named : value)
      if (named.is_object() && named.value("name", "") == "default") return named.value("template", "");
  return "";
}

std::vector<AddedToken> added_tokens_of(const Json& config, const std::string& where) {
  std::vector<AddedToken> added;
  const Json decoder = config.value("added_tokens_decoder", Json::object());
  for (const auto& [id, entry] : decoder.items()) {
    const bool numeric = !id.empty() && id.size() < 10 &&
                         std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!numeric)
      throw TokenizerError(where + ": added_tokens_decoder has the key \"" + id + "\", which is no token id");
    added.push_back(read_added_token(entry, std::stoi(id), where));
  }
  std::sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return added;
}

}  // namespace

Json read_json_file(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    const std::string_view before = std::string_view(text).substr(0, e.byte > 0 ? e.byte - 1 : 0);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t line_start = before.rfind('\n');
    const size_t column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
    throw TokenizerError(path.string() + ":" + std::to_string(line) + ":" + std::to_string(column) +
                         ": malformed JSON; the file may be cut off: copy it again from its source");
  }
}

AddedToken read_added_token(const Json& entry, int32_t id, const std::string& where) {
  if (!entry.is_object() || !entry.contains("content") || !entry["content"].is_string())
    throw TokenizerError(where + ": added token " + std::to_string(id) + " has no text in \"content\"");
  const bool special = entry.value("special", false);
  return {.id = id,
          .content = entry["content"].get<std::string>(),
          .single_word = entry.value("single_word", false),
          .lstrip = entry.value("lstrip", false),
          .rstrip = entry.value("rstrip", false),
          .normalized = entry.value("normalized", !special),
          .special = special};
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  const Json config = read_optional(path);
  TokenizerConfig out;
  out.bos = token_text(config, "bos_token");
  out.eos = token_text(config, "eos_token");
  out.eos_ids = token_ids(read_optional(folder / "generation_config.json"), "eos_token_id");
  if (out.eos_ids.empty()) out.eos_ids = token_ids(read_optional(folder / "config.json"), "eos_token_id");
  const Json adds_bos = config.value("add_bos_token", Json());
  if (adds_bos.is_boolean()) out.adds_bos = adds_bos.get<bool>();
  out.added = added_tokens_of(config, path.string());
  out.chat_template = chat_template_of(config, folder);
  return out;
}

}  // namespace ranktide
