// The two tables of who may include what.
#include <algorithm>
#include <array>
#include <string_view>

#include "tests/tidy/rules.h"

namespace ranktide::tidy {
namespace {

// Who may include whom
// --------------------------------------------------------------------------------------------- The first row
// whose folder begins a file's path is its row. A file may always include its own folder.
struct Layer {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> kLayers = {
      {"common/vocabulary", {}},
      {"common/model", {"common/vocabulary"}},
      {"common/text", {"common/vocabulary"}},
      {"common/sweep", {"common/vocabulary"}},
      {"common/net", {"common/vocabulary"}},
      {"common/content", {"common/vocabulary"}},
      {"coordinator/core", {"common/vocabulary", "common/sweep", "common/model"}},
      {"coordinator/edge", {"common", "coordinator/core"}},
      {"worker/agent", {"common/vocabulary"}},
      {"worker/daemon", {"common", "worker/agent"}},
      {"worker/trainer/lm", {"common/vocabulary", "common/model"}},
      {"worker/trainer/train", {"common/vocabulary", "common/model", "worker/trainer/lm"}},
      {"worker/trainer/check",
       {"common/vocabulary", "common/model", "worker/trainer/lm", "worker/trainer/train"}},
      {"worker/trainer/data", {"common/vocabulary", "common/text", "worker/trainer/train"}},
      {"worker/trainer", {"common/vocabulary", "common/text", "common/model", "worker/trainer"}},
      {"cli", {"common", "coordinator/core", "coordinator/edge", "worker/agent", "worker/daemon"}},
      {"tests", {"common", "coordinator", "worker", "cli", "tests"}},
      {"bench", {"common", "coordinator", "worker", "cli", "bench"}},
  };
  return kLayers;
}

// A library's headers begin with one of `prefixes`; only files under `owners` include them.
struct Library {
  std::string_view name;
  std::vector<std::string_view> prefixes;
  std::vector<std::string_view> owners;
};

const std::vector<Library>& libraries() {
  static const std::vector<Library> kLibraries = {
      {"LibTorch", {"torch/", "ATen/", "c10/"}, {"worker/trainer/", "tests/worker/trainer/", "bench/"}},
      {"ZeroMQ", {"zmq"}, {"common/net/", "coordinator/edge/", "worker/daemon/", "cli/doctor.cpp", "tests/"}},
      {"SQLite", {"sqlite3"}, {"coordinator/edge/", "cli/doctor.cpp", "tests/"}},
      {"Boost", {"boost/"}, {"coordinator/edge/", "cli/", "tests/"}},
      {"yaml-cpp", {"yaml-cpp/"}, {"common/sweep/yaml_tree.cpp"}},
      {"PCRE2", {"pcre2"}, {"common/text/", "tests/common/text/"}},
      {"SentencePiece", {"sentencepiece"}, {"common/text/", "tests/common/text/"}},
      {"utf8proc", {"utf8proc"}, {"common/text/", "tests/common/text/"}},
      {"zstd", {"zstd"}, {"worker/trainer/program/weight_delta.cpp"}},
      {"CLI11", {"CLI/"}, {"cli/", "worker/trainer/program/", "tests/cli/"}},
      {"spdlog", {"spdlog/"}, {"coordinator/edge/", "worker/daemon/", "worker/trainer/program/", "cli/"}},
      {"fmt", {"fmt/"}, {"coordinator/edge/", "worker/daemon/", "worker/trainer/program/", "cli/"}},
      {"OpenSSL", {"openssl/"}, {"tests/"}},
      {"GoogleTest", {"gtest/", "gmock/", "rapidcheck"}, {"tests/"}},
  };
  return kLibraries;
}

constexpr std::array kOwnRoots = {"common/", "coordinator/", "worker/", "cli/", "tests/", "bench/"};

bool begins_with_any(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return path.starts_with(p); });
}

bool is_own(std::string_view include) {
  return std::any_of(kOwnRoots.begin(), kOwnRoots.end(),
                     [&](std::string_view r) { return include.starts_with(r); });
}

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

const Layer* layer_of(std::string_view path) {
  const auto found = std::find_if(layers().begin(), layers().end(),
                                  [&](const Layer& layer) { return lies_in(path, layer.folder); });
  return found == layers().end() ? nullptr : &*found;
}

}  // namespace

bool may_include(std::string_view path, std::string_view include) {
  const Layer* layer = layer_of(path);
  if (layer == nullptr) {
    return false;
  }
  return lies_in(include, layer->folder) ||
         std::any_of(layer->may_include.begin(), layer->may_include.end(),
                     [&](std::string_view folder) { return lies_in(include, folder); });
}

std::vector<Violation> check_includes(const SourceFile& file) {
  std::vector<Violation> found;
  for (const Include& include : includes_of(file)) {
    if (is_own(include.path) && !may_include(file.path, include.path)) {
      found.push_back({file.path, include.line, folder_of(file.path) + " may not include " + include.path});
    }
    for (const Library& library : libraries()) {
      if (begins_with_any(include.path, library.prefixes) && !begins_with_any(file.path, library.owners)) {
        found.push_back({file.path, include.line,
                         std::string(library.name) + " (" + include.path + ") is not for this folder"});
      }
    }
  }
  return found;
}

}  // namespace ranktide::tidy
