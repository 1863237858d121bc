#pragma once
// A machine with a data folder and model folders, and a sweep that names a model or tokenizer by its hash.

#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/folders.h"
#include "cli/http_client.h"
#include "cli/named_models.h"
#include "common/content/hash_cache.h"
#include "common/model/base_identity.h"
#include "common/sweep/grid.h"
#include "common/sweep/sweep_yaml.h"
#include "common/text/tokenizer.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {

namespace fs = std::filesystem;

class NamedModels : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path data() const { return path("data"); }
  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  // `tokenizer` is one of tests/golden/tokenizer; empty: the folder has none.
  fs::path model(const std::string& name, const std::string& weights, const std::string& tokenizer) const {
    write(path(name) / "config.json", "{}");
    write(path(name) / "model.safetensors", weights);
    if (!tokenizer.empty()) add_tokenizer(path(name), tokenizer);
    return path(name);
  }
  static void add_tokenizer(const fs::path& folder, const std::string& tokenizer) {
    fs::create_directories(folder);
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
      fs::copy_file(fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/tokenizer" / tokenizer / name, folder / name);
  }
  fs::path hashed(const fs::path& folder) const {
    HashCache cache(cache_folder(data()));
    for (const auto& file : fs::directory_iterator(folder)) cache.sha256_of(file.path());
    return folder;
  }
  static std::string base_of(const fs::path& folder) { return "sha256:" + base_id_of(folder).text; }
  static std::string tokenizer_of(const fs::path& folder) {
    return "sha256:" + Tokenizer::load(folder).sha256();
  }

  SweepSpec sweep(const std::string& model, const std::string& tokenizer = "") const {
    write(path("sweep.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\nbudget.steps: 1\n"
          "data.train: a.txt\neval.learn: {e: {data: b.txt}}\nmodel.path: " +
              model + "\n" + (tokenizer.empty() ? "" : "model.tokenizer: " + tokenizer + "\n"));
    return read_sweep(path("sweep.yaml").string(), {});
  }
  // `more`: what varies, and by which rules.
  SweepSpec sweep_with(const std::string& more) const {
    write(path("sweep.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\ndata.train: a.txt\n"
          "eval.learn: {e: {data: b.txt}}\n" +
              more);
    return read_sweep(path("sweep.yaml").string(), {});
  }
  // What its trials are, but for the names of their models.
  static std::vector<std::string> trials(const SweepSpec& spec) {
    std::vector<std::string> out;
    const Grid grid(spec);
    for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
      if (const auto trial = grid.at(raw))
        out.push_back(std::to_string(raw) + " " + to_json(trial->settings.train).dump());
    return out;
  }
  std::vector<std::string> place(SweepSpec& spec) {
    PlacedModels placed = place_named_models(
        spec, {.data = data(), .coordinator = coordinator_, .say = [](const std::string&) {}});
    elsewhere_ = std::move(placed.elsewhere);
    return placed.messages;
  }
  // Returns: the path that the key has then.
  std::string placed(SweepSpec spec, const char* key = "model.path") {
    said_ = place(spec);
    return spec.blocks.at(0).constants.at(key).get<std::string>();
  }

  TemporaryFolder folder_;
  std::function<std::optional<HttpClient>()> coordinator_ = [] { return std::nullopt; };
  std::vector<std::string> said_;
  std::map<std::string, FolderElsewhere> elsewhere_;
};

}  // namespace ranktide::cli
