#pragma once
// How much there is to predict for: the shapes of models, each folder read once, and what evals put before
// them. Caches, no predictions (estimate.h). One thread.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/model/shape.h"
#include "common/text/eval_items.h"
#include "common/vocabulary/trial.h"

namespace ranktide::cli {

// What an eval puts before a model: a sequence for each choice of an item, with its context.
struct EvalSize {
  double tokens = 0;           // of all sequences
  double sequence_tokens = 0;  // of one, in the mean
  double scored_share = 1;     // of the tokens: only they cost the head
};
template <class Ar>
void fields(Ar& ar, EvalSize& s) {
  ar("tokens", s.tokens)("sequence_tokens", s.sequence_tokens)("scored_share", s.scored_share);
}

// Returns: that of items as they were cut. A model whose context is shorter than a sequence sees less of it.
// Requires: items not empty.
EvalSize eval_size_of(std::span<const EvalItem> items);

// By eval_size_key(): of evals whose items were read.
using EvalSizesRead = std::map<std::string, EvalSize>;
// `spec_id`: eval_spec_id() of the eval (common/sweep/identity.h).
std::string eval_size_key(const std::string& spec_id, const std::string& tokenizer_sha256);

class EvalSizes {
 public:
  explicit EvalSizes(EvalSizesRead read) : known_(std::move(read)) {}
  // Returns: the size as read, or a guess from the file and the limit: as many tokens as its bytes make, all
  // scored; no tokens where there is no such file.
  const EvalSize& of(const EvalTask& task, const std::string& tokenizer_sha256);

 private:
  EvalSizesRead known_;
};

class ModelShapes {
 public:
  // Returns: nullopt for a model that cannot be read: whoever reads inputs has named the reason.
  const std::optional<ModelShape>& of(const std::string& folder);

 private:
  std::map<std::string, std::optional<ModelShape>> known_;
};

}  // namespace ranktide::cli
