#include "cli/named_models.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <set>

#include "cli/folders.h"
#include "common/content/hash_cache.h"
#include "common/model/base_identity.h"
#include "common/sweep/expression.h"
#include "common/sweep/grid.h"
#include "common/sweep/settings.h"
#include "common/text/tokenizer.h"
#include "common/text/tokenizer_file.h"
#include "common/vocabulary/content_name.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr const char* kModelKey = "model.path";
constexpr const char* kTokenizerKey = "model.tokenizer";

// Everything that a tokenizer's hash is made from (tokenizer.h); those that a folder has.
constexpr std::array kTokenizerFiles{"tokenizer.json", "tokenizer_config.json", "generation_config.json",
                                     "config.json", "chat_template.jinja"};

using Places = std::map<std::string, std::string>;  // name as in the settings -> folder

struct NamedModels {
  std::map<std::string, bool> models;  // name -> whether some trial takes the tokenizer beside the weights
  std::set<std::string> tokenizers;
};

NamedModels names_in(const SweepSpec& spec) {
  NamedModels out;
  for (const ModelSettings& model : wanted_inputs(spec).models) {
    if (is_content_text(model.path)) out.models[model.path] |= model.tokenizer.empty();
    if (is_content_text(model.tokenizer)) out.tokenizers.insert(model.tokenizer);
  }
  return out;
}

class FolderFinder {
 public:
  explicit FolderFinder(const fs::path& data)
      : cache_(cache_folder(data)), copies_(data / "inputs"), hashes_(cache_) {}

  // Throws: std::runtime_error with where it was looked for, or what is not clear.
  fs::path model(const ContentName& name, bool reads_its_own) {
    const std::vector<fs::path> found = those_of(
        folders_with("config.json"), [&](const fs::path& folder) { return base_of(folder) == name.sha256; });
    if (found.empty()) throw std::runtime_error(nowhere(name, "model"));
    return reads_its_own ? with_one_tokenizer(name, found) : found.front();
  }

  // Throws: as model().
  fs::path tokenizer(const ContentName& name) {
    const std::vector<fs::path> found = those_of(folders_with("tokenizer.json"), [&](const fs::path& folder) {
      return tokenizer_of(folder) == name.sha256;
    });
    if (found.empty()) throw std::runtime_error(nowhere(name, "tokenizer"));
    return found.front();
  }

 private:
  // A worker's copies last: they go when nobody uses them and room is needed.
  std::vector<fs::path> folders_with(const char* file) {
    std::vector<fs::path> out = hashes_.folders_with(file);
    std::stable_partition(out.begin(), out.end(), [&](const fs::path& folder) {
      return std::mismatch(copies_.begin(), copies_.end(), folder.begin(), folder.end()).first != copies_.end();
    });
    return out;
  }

  static std::vector<fs::path> those_of(std::vector<fs::path> folders,
                                        const std::function<bool(const fs::path&)>& is_meant) {
    std::erase_if(folders, [&](const fs::path& folder) { return !is_meant(folder); });
    return folders;
  }

  // Returns: empty where the folder is no model, or a file of it was not hashed or changed since.
  std::string base_of(const fs::path& folder) {
    try {
      return base_id_of(folder, [&](const fs::path& file) { return known_hash(file); }).text;
    } catch (const ModelError&) {
      return "";
    } catch (const std::runtime_error& error) {
      return unreadable(folder, error);
    }
  }

  // One folder that a disk or a network does not give keeps no other one from being found.
  std::string unreadable(const fs::path& folder, const std::runtime_error& error) {
    unreadable_[folder] = error.what();
    return "";
  }

  std::string known_hash(const fs::path& file) const {
    const auto hash = hashes_.known_sha256(file);
    if (!hash) throw ModelError(file.string() + ": was not hashed as it is now");
    return *hash;
  }

  // Returns: empty where the folder has none that can be read.
  std::string tokenizer_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code no_file;  // whoever reads the folder says why
    for (const char* name : kTokenizerFiles)
      if (fs::is_regular_file(folder / name, no_file)) files.push_back(folder / name);
    try {
      return hashes_.remembered("tokenizer:" + folder.string(), files,
                                [&] { return read_tokenizer_folder(folder).sha256; });
    } catch (const TokenizerError&) {
      return "";
    } catch (const std::runtime_error& error) {
      return unreadable(folder, error);
    }
  }

  // Returns: a folder whose tokenizer can be read, where one is; else whoever reads it says what is missing.
  fs::path with_one_tokenizer(const ContentName& name, const std::vector<fs::path>& folders) {
    std::map<std::string, fs::path> by_tokenizer;
    for (const fs::path& folder : folders)
      if (const std::string hash = tokenizer_of(folder); !hash.empty()) by_tokenizer.try_emplace(hash, folder);
    if (by_tokenizer.size() > 1) throw std::runtime_error(not_clear(name, by_tokenizer));
    return by_tokenizer.empty() ? folders.front() : by_tokenizer.begin()->second;
  }

  static std::string not_clear(const ContentName& name, const std::map<std::string, fs::path>& by_tokenizer) {
    std::string out = to_text(name) + ": this model lies beside different tokenizers on this machine:";
    for (const auto& [hash, folder] : by_tokenizer)
      out += fmt::format(" {}{} in {},", kContentPrefix, hash, folder.string());
    out.back() = ';';
    return out + " write the one that is meant as " + kTokenizerKey + ", or the folder as " + kModelKey;
  }

  std::string nowhere(const ContentName& name, const char* what) {
    if (const auto file = hashes_.known_file(name.sha256))
      return fmt::format(
          "{}: that is the file {}, and a {}'s hash is another one; `ranktide plan` with its folder prints it",
          to_text(name), file->string(), what);
    std::string out = fmt::format(
        "{}: no {} folder that was hashed on this machine ({}) has this content now; name it once by its path "
        "or hub: name, as in `ranktide plan FILE {}=FOLDER`, which hashes it; from then on the hash will do",
        to_text(name), what, (cache_ / "hashes.json").string(),
        std::string_view(what) == "model" ? kModelKey : kTokenizerKey);
    for (const auto& [folder, why] : unreadable_) out += "; " + folder.string() + " was passed over: " + why;
    return out;
  }

  fs::path cache_;
  fs::path copies_;  // of a worker with this data folder
  HashCache hashes_;
  std::map<fs::path, std::string> unreadable_;  // folder -> why
};

void replace_in(SettingValues& set, const char* key, const Places& places) {
  const auto value = set.find(key);
  if (value == set.end() || !value->second.is_string()) return;
  if (const auto place = places.find(value->second.get<std::string>()); place != places.end())
    value->second = place->second;
}

void replace_in(SweepSpec& spec, const char* key, const Places& places) {
  for (Block& block : spec.blocks) {
    replace_in(block.constants, key, places);
    for (Axis& axis : block.axes)
      for (AxisPoint& point : axis.points) replace_in(point.set, key, places);
  }
}

std::vector<const Expression*> quoted_in(const Expression& rule) {
  if (rule.kind == Expression::Kind::text) return {&rule};
  std::vector<const Expression*> out;
  for (const Expression& operand : rule.operands)
    for (const Expression* text : quoted_in(operand)) out.push_back(text);
  return out;  // as they stand in the rule
}

// Throws: SpecError where the language of rules, which escapes nothing, has no quotes for it.
std::string in_quotes(const std::string& folder) {
  for (const char* quote : {"'", "\""})
    if (folder.find(quote) == std::string::npos) return quote + folder + quote;
  throw SpecError(folder +
                  ": a rule names what lies here by its hash, and no rule can hold a path with both "
                  "kinds of quotes; rename the folder");
}

// A rule compares with the settings, and so with what they are now. An axis under `rows` keeps its labels.
void replace_in(std::string& rule, const Places& places) {
  if (rule.find(kContentPrefix) == std::string::npos) return;
  const Expression parsed = parse_expression(rule);
  std::vector<const Expression*> values = quoted_in(parsed);
  for (const TextComparison& comparison : text_comparisons(parsed))
    if (!full_key(comparison.name)) std::erase(values, comparison.value);
  for (auto value = values.rbegin(); value != values.rend(); ++value)  // offsets before it stay
    if (const auto place = places.find((*value)->text); place != places.end())
      rule.replace((*value)->offset, place->first.size() + 2, in_quotes(place->second));
}

void replace_in_rules(SweepSpec& spec, const Places& places) {
  for (Block& block : spec.blocks) {
    for (Rule& rule : block.exclude) replace_in(rule.text, places);
    for (Axis& axis : block.axes) replace_in(axis.when, places);
    for (auto& [key, rule] : block.derive) replace_in(rule, places);
  }
}

// Calls `find` with each name, and notes the place, or the message.
class Placing {
 public:
  void place(const std::string& text, const std::function<fs::path(const ContentName&)>& find) {
    const auto name = content_name_of(text);
    if (!name) throw SpecError(text + ": not sha256: and 64 hex digits");
    try {
      places[text] = find(*name).string();
    } catch (const std::runtime_error& error) {
      messages.emplace_back(error.what());
    }
  }

  Places places;
  std::vector<std::string> messages;
};

}  // namespace

std::vector<std::string> place_named_models(SweepSpec& spec, const fs::path& data) {
  const NamedModels named = names_in(spec);
  if (named.models.empty() && named.tokenizers.empty()) return {};
  FolderFinder finder(data);
  Placing models, tokenizers;
  for (const auto& [text, reads_its_own] : named.models)
    models.place(text, [&](const ContentName& name) { return finder.model(name, reads_its_own); });
  for (const std::string& text : named.tokenizers)
    tokenizers.place(text, [&](const ContentName& name) { return finder.tokenizer(name); });
  replace_in(spec, kModelKey, models.places);
  replace_in(spec, kTokenizerKey, tokenizers.places);
  Places places = models.places;
  places.insert(tokenizers.places.begin(), tokenizers.places.end());
  replace_in_rules(spec, places);
  std::vector<std::string> out = std::move(models.messages);
  out.insert(out.end(), tokenizers.messages.begin(), tokenizers.messages.end());
  return out;
}

}  // namespace ranktide::cli
