#include "cli/sizes_read.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/content/hub_cache.h"
#include "common/vocabulary/check.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr double kBytesPerToken = 4;  // of English and code under the usual vocabularies

double line_count(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return static_cast<double>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

EvalSize guessed_size(const EvalSpec& spec) {
  std::error_code absent;
  const auto bytes = fs::file_size(spec.data, absent);
  if (absent) return {.sequence_tokens = kEvalWindowTokens};
  const double tokens = static_cast<double>(bytes) / kBytesPerToken;
  const bool rows = fs::path(spec.data).extension() == ".jsonl";
  const double items = std::max(1.0, rows ? line_count(spec.data) : tokens / kEvalWindowTokens);
  const double share = spec.limit ? std::min(1.0, static_cast<double>(*spec.limit) / items) : 1;
  return {.tokens = tokens * share, .sequence_tokens = tokens / items};
}

}  // namespace

EvalSize eval_size_of(std::span<const EvalItem> items) {
  int64_t sequences = 0, tokens = 0, scored = 0;
  for (const EvalItem& item : items) {
    for (const EvalChoice& choice : item.choices) {
      ++sequences;
      tokens += std::ssize(choice.tokens);
      scored += std::ssize(choice.tokens) - choice.scored_from;
    }
  }
  RT_CHECK(tokens > 0);
  const auto all = static_cast<double>(tokens);
  return {.tokens = all,
          .sequence_tokens = all / static_cast<double>(sequences),
          .scored_share = static_cast<double>(scored) / all};
}

std::string eval_size_key(const std::string& spec_id, const std::string& tokenizer_sha256) {
  return spec_id + " " + tokenizer_sha256;
}

const EvalSize& EvalSizes::of(const EvalTask& task, const std::string& tokenizer_sha256) {
  const auto [at, is_new] = known_.try_emplace(eval_size_key(task.spec_id, tokenizer_sha256));
  if (is_new) at->second = guessed_size(task.spec);
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
