// Rules about single words and how a file begins.
#include <algorithm>
#include <array>
#include <iterator>
#include <regex>
#include <string_view>

#include "tests/tidy/rules.h"

namespace ranktide::tidy {
namespace {

constexpr std::array kCores = {"coordinator/core/", "worker/agent/"};

bool is_core(std::string_view path) {
  return std::any_of(kCores.begin(), kCores.end(),
                     [&](std::string_view core) { return path.starts_with(core); });
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

}  // namespace

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

}  // namespace ranktide::tidy
