#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <set>
#include <string_view>

namespace ranktide::tidy {
namespace {

// --- who may include whom
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
      {"common/sweep", {"common/vocabulary", "common/text"}},
      {"common/net", {"common/vocabulary"}},
      {"coordinator/core", {"common/vocabulary", "common/sweep"}},
      {"coordinator/edge", {"common", "coordinator/core"}},
      {"worker/agent", {"common/vocabulary"}},
      {"worker/daemon", {"common", "worker/agent"}},
      {"worker/trainer/lm", {"common/vocabulary", "common/model"}},
      {"worker/trainer/train", {"common/vocabulary", "common/model", "worker/trainer/lm"}},
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
      {"CLI11", {"CLI/"}, {"cli/", "worker/trainer/", "tests/cli/"}},
      {"spdlog", {"spdlog/"}, {"coordinator/edge/", "worker/daemon/", "worker/trainer/", "cli/"}},
      {"fmt", {"fmt/"}, {"coordinator/edge/", "worker/daemon/", "worker/trainer/", "cli/"}},
      {"OpenSSL", {"openssl/"}, {"tests/"}},
      {"GoogleTest", {"gtest/", "gmock/", "rapidcheck"}, {"tests/"}},
  };
  return kLibraries;
}

constexpr std::array kOwnRoots = {"common/", "coordinator/", "worker/", "cli/", "tests/", "bench/"};
constexpr std::array kCores = {"coordinator/core/", "worker/agent/"};

// --- .cpp files without a unit test, and what tests them instead
// --------------------------------------------------------
const std::map<std::string_view, std::string_view>& edges() {
  static const std::map<std::string_view, std::string_view> kEdges = {};
  return kEdges;
}

bool begins_with_any(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return path.starts_with(p); });
}

bool is_own(std::string_view include) {
  return std::any_of(kOwnRoots.begin(), kOwnRoots.end(),
                     [&](std::string_view r) { return include.starts_with(r); });
}

bool is_core(std::string_view path) {
  return std::any_of(kCores.begin(), kCores.end(),
                     [&](std::string_view core) { return path.starts_with(core); });
}

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

const Layer* layer_of(std::string_view path) {
  const auto found = std::find_if(layers().begin(), layers().end(),
                                  [&](const Layer& layer) { return lies_in(path, layer.folder); });
  return found == layers().end() ? nullptr : &*found;
}

bool may_include(std::string_view path, std::string_view include) {
  const Layer* layer = layer_of(path);
  if (layer == nullptr) {
    return false;
  }
  return lies_in(include, layer->folder) ||
         std::any_of(layer->may_include.begin(), layer->may_include.end(),
                     [&](std::string_view folder) { return lies_in(include, folder); });
}

// Every match of `pattern` in `text` as a violation.
std::vector<Violation> matches(const SourceFile& file, const std::string& text, const std::regex& pattern,
                               const std::string& what) {
  std::vector<Violation> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator();
       ++match) {
    const std::string word = (*match)[match->size() - 1].str();
    found.push_back(
        {file.path, line_of(text, static_cast<std::size_t>(match->position())), what + ": " + word});
  }
  return found;
}

std::string block_after(const std::string& code, std::size_t at) {
  const std::size_t open = code.find('{', at);
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    depth += code[i] == '{' ? 1 : code[i] == '}' ? -1 : 0;
    if (depth == 0) {
      return code.substr(open, i - open + 1);
    }
  }
  return {};
}

// store_sql -> {store_sql, store}: the headers that stand for a file.
std::vector<std::string> family_of(std::string_view path) {
  std::string stem(path.substr(0, path.size() - std::string_view(".cpp").size()));
  const std::size_t folder_end = stem.rfind('/') + 1;
  std::vector<std::string> headers = {stem + ".h"};
  for (std::size_t cut = stem.rfind('_'); cut != std::string::npos && cut > folder_end; cut = stem.rfind('_')) {
    stem.resize(cut);
    headers.push_back(stem + ".h");
  }
  return headers;
}

void append(std::vector<Violation>& to, std::vector<Violation> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

std::string to_string(const Violation& violation) {
  return violation.path + ":" + std::to_string(violation.line) + ": " + violation.what;
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

std::vector<Violation> check_core_is_pure(const SourceFile& file) {
  static const std::regex kImpure(
      R"(\b(system_clock|steady_clock|high_resolution_clock|random_device|rand\(|getenv|unordered_\w+|thread|jthread|mutex)\b)");
  static const std::regex kCall(R"(\b(rand\s*\())");
  if (!is_core(file.path)) {
    return {};
  }
  std::vector<Violation> found =
      matches(file, file.code, kImpure, "a core has no clock, chance, thread or hash order");
  append(found, matches(file, file.code, kCall, "a core has no chance of its own"));
  return found;
}

std::vector<Violation> check_catch_all(const SourceFile& file) {
  static const std::regex kCatchAll(R"(catch\s*\(\s*\.\.\.\s*\))");
  static const std::regex kGoesNoFurther(
      R"(\bthrow\s*;|current_exception|\babort\s*\(|\bterminate\s*\(|\b_?exit\s*\()");
  std::vector<Violation> found;
  for (auto match = std::sregex_iterator(file.code.begin(), file.code.end(), kCatchAll);
       match != std::sregex_iterator(); ++match) {
    const auto at = static_cast<std::size_t>(match->position());
    if (!std::regex_search(block_after(file.code, at), kGoesNoFurther)) {
      found.push_back({file.path, line_of(file.code, at), "catch (...) that goes on"});
    }
  }
  return found;
}

std::vector<Violation> check_todo(const SourceFile& file) {
  static const std::regex kTodo(R"(\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\)))");
  const bool is_prose =
      file.path.ends_with(".md") || file.path.ends_with(".json") || file.path.ends_with(".txt");
  return is_prose ? std::vector<Violation>{}
                  : matches(file, file.comments, kTodo, "left-over work without an issue");
}

std::vector<Violation> check_header(const SourceFile& file) {
  static const std::regex kUsing(R"(\b(using\s+namespace\s+\w+))");
  if (!is_header(file.path)) {
    return {};
  }
  std::vector<Violation> found = matches(file, file.code, kUsing, "in a header");
  if (!file.text.starts_with("#pragma once\n")) {
    found.push_back({file.path, 1, "a header begins with #pragma once"});
  } else if (!file.text.starts_with("#pragma once\n//")) {
    found.push_back({file.path, 2, "a header says in its second line what it is"});
  }
  return found;
}

std::vector<Violation> check_bare_check(const SourceFile& file) {
  static const std::regex kBare(R"(\b(CHECK(_[A-Z]+)?)\s*\()");
  return is_cpp(file.path) ? matches(file, file.code, kBare, "use RT_CHECK") : std::vector<Violation>{};
}

std::vector<Violation> check_machine_paths(const SourceFile& file) {
  // Put together so that this file does not find itself.
  static const std::regex kPath(
      "(^|[^\\w./$}-])(/(work|root|home/\\w+|Users/\\w+|mnt)"
      "/\\w+)");
  return matches(file, file.text, kPath, "a path of one machine");
}

std::vector<Violation> check_has_test(const std::vector<SourceFile>& files) {
  std::set<std::string> tested;
  for (const SourceFile& file : files) {
    for (const Include& include :
         file.path.starts_with("tests/") ? includes_of(file) : std::vector<Include>{}) {
      tested.insert(include.path);
    }
  }
  std::vector<Violation> found;
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".cpp") || file.path.starts_with("tests/") || edges().contains(file.path)) {
      continue;
    }
    const std::vector<std::string> family = family_of(file.path);
    if (std::none_of(family.begin(), family.end(),
                     [&](const auto& header) { return tested.contains(header); })) {
      found.push_back({file.path, 1, "no test includes " + family.front() + " and it is no listed edge"});
    }
  }
  return found;
}

std::vector<Violation> check_tree(const std::vector<SourceFile>& files) {
  std::vector<Violation> found = check_has_test(files);
  for (const SourceFile& file : files) {
    for (const auto& check : {check_includes, check_core_is_pure, check_catch_all, check_todo, check_header,
                              check_bare_check, check_machine_paths}) {
      append(found, check(file));
    }
  }
  return found;
}

}  // namespace ranktide::tidy
