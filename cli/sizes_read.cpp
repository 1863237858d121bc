#include "cli/sizes_read.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/content/hub_cache.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr double kBytesPerToken = 4;   // of English and code under the usual vocabularies
constexpr double kWindowTokens = 512;  // of a loss eval over plain text

double line_count(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return static_cast<double>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

EvalSize size_of_eval(const EvalSpec& spec) {
  std::error_code absent;
  const auto bytes = fs::file_size(spec.data, absent);
  if (absent) return {.tokens = 0, .item_tokens = kWindowTokens};
  const double tokens = static_cast<double>(bytes) / kBytesPerToken;
  const bool rows = fs::path(spec.data).extension() == ".jsonl";
  const double items = std::max(1.0, rows ? line_count(spec.data) : tokens / kWindowTokens);
  const double share = spec.limit ? std::min(1.0, static_cast<double>(*spec.limit) / items) : 1;
  return {.tokens = tokens * share, .item_tokens = tokens / items};
}

}  // namespace

const EvalSize& EvalSizes::of(const EvalSpec& spec) {
  const auto [at, is_new] = known_.try_emplace({spec.data, spec.limit});
  if (is_new) at->second = size_of_eval(spec);
  return at->second;
}

const std::optional<ModelShape>& ModelShapes::of(const std::string& folder) {
  const auto found = known_.find(folder);
  if (found != known_.end()) return found->second;
  try {
    return known_[folder] = read_shape(model_folder(folder));
  } catch (const std::runtime_error&) {
    return known_[folder] = std::nullopt;
  }
}

}  // namespace ranktide::cli
