#include "cli/named_models.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <set>

#include "cli/brought_models.h"
#include "cli/folders.h"
#include "cli/name_replacement.h"
#include "common/content/hash_cache.h"
#include "common/model/base_identity.h"
#include "common/sweep/grid.h"
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

struct NamedModels {
  std::map<std::string, bool> models;  // name -> whether some trial takes the tokenizer beside the weights
  std::set<std::string> tokenizers;
  std::set<std::string> paths;  // of models and tokenizers that are named otherwise
};

NamedModels names_in(const SweepSpec& spec) {
  NamedModels out;
  for (const ModelSettings& model : wanted_inputs(spec).models) {
    if (is_content_text(model.path)) out.models[model.path] |= model.tokenizer.empty();
    if (is_content_text(model.tokenizer)) out.tokenizers.insert(model.tokenizer);
    for (const std::string& path : {model.path, model.tokenizer})
      if (!is_content_text(path)) out.paths.insert(path);
  }
  return out;
}

class FolderFinder {
 public:
  // Outlives: `sources` must. taken: paths that settings have for something else.
  FolderFinder(const ContentSources& sources, std::set<std::string> taken)
      : sources_(sources),
        taken_(std::move(taken)),
        cache_(cache_folder(sources.data)),
        copies_(sources.data / "inputs"),
        hashes_(cache_) {}

  // Returns: the path for the settings. Throws: std::runtime_error with where it was looked for, or what is not
  // clear.
  std::string model(const ContentName& name, bool reads_its_own) {
    const std::vector<fs::path> found = those_of(
        folders_with("config.json"), [&](const fs::path& folder) { return base_of(folder) == name.sha256; });
    if (!found.empty()) return take(reads_its_own ? with_one_tokenizer(name, found) : found.front());
    const std::vector<FolderElsewhere> there = those_elsewhere(
        name, "model", [&](const FolderElsewhere& folder) { return base_made_by(folder).text == name.sha256; });
    return take(reads_its_own ? with_one_tokenizer(name, there) : there.front());
  }

  // The same for a tokenizer.
  std::string tokenizer(const ContentName& name) {
    const std::vector<fs::path> found = those_of(folders_with("tokenizer.json"), [&](const fs::path& folder) {
      return tokenizer_of(folder) == name.sha256;
    });
    if (!found.empty()) return take(found.front());
    return take(those_elsewhere(name, "tokenizer", [&](const FolderElsewhere& folder) {
                  return tokenizer_of(folder.here) == name.sha256;
                }).front());
  }

  std::map<std::string, FolderElsewhere> take_elsewhere() { return std::move(elsewhere_); }

 private:
  static bool is_below(const fs::path& folder, const fs::path& path) {
    return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
  }

  // A worker's copies last: they go when nobody uses them and room is needed. What was brought from elsewhere
  // is no place that settings should name.
  std::vector<fs::path> folders_with(const char* file) {
    std::vector<fs::path> out = hashes_.folders_with(file);
    std::erase_if(out, [&](const fs::path& folder) { return is_below(models_brought(cache_), folder); });
    std::stable_partition(out.begin(), out.end(),
                          [&](const fs::path& folder) { return !is_below(copies_, folder); });
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

  // Returns: at least one. A path means one content in a sweep: a folder whose path is taken cannot be named.
  std::vector<FolderElsewhere> those_elsewhere(const ContentName& name, const char* what,
                                               const std::function<bool(const FolderElsewhere&)>& is_meant) {
    FoundElsewhere found = find_elsewhere(name, sources_);
    std::erase_if(found.folders, [&](const FolderElsewhere& folder) { return !is_meant(folder); });
    const auto free = std::stable_partition(found.folders.begin(), found.folders.end(),
                                            [&](const FolderElsewhere& folder) { return is_free(folder); });
    for (auto folder = free; folder != found.folders.end(); ++folder)
      found.looked += (found.looked.empty() ? "" : "; ") + folder->root +
                      " of another machine has it, but the sweep has that path for another one";
    found.folders.erase(free, found.folders.end());
    if (found.folders.empty()) throw std::runtime_error(nowhere(name, what) + "; " + found.looked);
    return found.folders;
  }

  bool is_free(const FolderElsewhere& folder) const {
    const auto known = elsewhere_.find(folder.root);
    return !taken_.contains(folder.root) && (known == elsewhere_.end() || known->second.is_same(folder));
  }

  // A path means one content in a sweep, so a folder here and another that lay elsewhere at its path exclude
  // each other, whichever is looked for first.
  std::string take(const fs::path& folder) {
    if (elsewhere_.contains(folder.string()))
      throw std::runtime_error(folder.string() +
                               ": the sweep has that path for a model of another machine; move this folder and "
                               "name it once by its new path");
    taken_.insert(folder.string());
    return folder.string();
  }

  std::string take(const FolderElsewhere& folder) {
    sources_.say(folder.root + " of another machine is what is meant; its weights stay there");
    elsewhere_.emplace(folder.root, folder);
    return folder.root;
  }

  static const fs::path& read_at(const fs::path& folder) { return folder; }
  static const fs::path& read_at(const FolderElsewhere& folder) { return folder.here; }
  static std::string told(const fs::path& folder) { return folder.string(); }
  static std::string told(const FolderElsewhere& folder) { return folder.root + " of another machine"; }

  // Returns: a folder whose tokenizer can be read, where one is; else whoever reads it says what is missing.
  template <class Folder>
  Folder with_one_tokenizer(const ContentName& name, const std::vector<Folder>& folders) {
    std::map<std::string, Folder> by_tokenizer;
    for (const Folder& folder : folders)
      if (const std::string hash = tokenizer_of(read_at(folder)); !hash.empty())
        by_tokenizer.try_emplace(hash, folder);
    if (by_tokenizer.size() > 1) throw std::runtime_error(not_clear(name, by_tokenizer));
    return by_tokenizer.empty() ? folders.front() : by_tokenizer.begin()->second;
  }

  template <class Folder>
  static std::string not_clear(const ContentName& name, const std::map<std::string, Folder>& by_tokenizer) {
    std::string out = to_text(name) + ": this model lies beside different tokenizers:";
    for (const auto& [hash, folder] : by_tokenizer)
      out += fmt::format(" {}{} in {},", kContentPrefix, hash, told(folder));
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

  const ContentSources& sources_;
  std::set<std::string> taken_;
  std::map<std::string, FolderElsewhere> elsewhere_;  // that were taken, by root
  fs::path cache_;
  fs::path copies_;  // of a worker with this data folder
  HashCache hashes_;
  std::map<fs::path, std::string> unreadable_;  // folder -> why
};

// Calls `find` with each name, and notes the place, or the message.
class Placing {
 public:
  void place(const std::string& text, const std::function<std::string(const ContentName&)>& find) {
    const auto name = content_name_of(text);
    if (!name) throw SpecError(text + ": not sha256: and 64 hex digits");
    try {
      places[text] = find(*name);
    } catch (const std::runtime_error& error) {
      messages.emplace_back(error.what());
    }
  }

  Places places;
  std::vector<std::string> messages;
};

}  // namespace

PlacedModels place_named_models(SweepSpec& spec, const ContentSources& sources) {
  const NamedModels named = names_in(spec);
  if (named.models.empty() && named.tokenizers.empty()) return {};
  FolderFinder finder(sources, named.paths);
  Placing models, tokenizers;
  for (const auto& [text, reads_its_own] : named.models)
    models.place(text, [&](const ContentName& name) { return finder.model(name, reads_its_own); });
  for (const std::string& text : named.tokenizers)
    tokenizers.place(text, [&](const ContentName& name) { return finder.tokenizer(name); });
  replace_in_settings(spec, kModelKey, models.places);
  replace_in_settings(spec, kTokenizerKey, tokenizers.places);
  Places places = models.places;
  places.insert(tokenizers.places.begin(), tokenizers.places.end());
  replace_in_rules(spec, places);
  PlacedModels out{.messages = std::move(models.messages), .elsewhere = finder.take_elsewhere()};
  out.messages.insert(out.messages.end(), tokenizers.messages.begin(), tokenizers.messages.end());
  return out;
}

}  // namespace ranktide::cli
