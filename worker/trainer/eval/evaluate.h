#pragma once
// Evaluation items -> log-likelihoods -> one number with its sampling error. Reading and cutting items is
// common/text's (eval_items.h), the forward pass is lm/score.h's. Conventions are those of lm_eval: the
// greatest log-likelihood per token, byte or as it is wins, the first of equals; a sequence longer than the
// model's context loses its beginning. Thread rule: the engine thread (lm/engine.h); `tally` is pure.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/model/cost.h"
#include "common/text/eval_items.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"

namespace ranktide {

// What one item came to. Kind loss has one choice per item.
struct ItemScore {
  std::vector<double> loglik;   // nats, one per choice, summed over its scored tokens
  std::vector<int64_t> tokens;  // scored tokens, one per choice
  int choice = 0;               // index of the winner; 0 for kind loss
  bool correct = false;  // choice: the winner is gold; loss: every scored token is the model's first choice
};

struct Evaluation {
  std::string metric;  // "loss": nats per token over all scored tokens; "acc": share of correct items
  int sign = 1;        // -1: lower is better
  double value = 0;
  double stderr_ = 0;            // sampling error over items; NaN for a single item
  int64_t tokens = 0;            // scored tokens of all choices
  std::vector<ItemScore> items;  // in the order of the items asked
};

// Called between forwards: choices scored so far, of how many.
using OnScored = std::function<void(size_t scored, size_t choices)>;

// Returns: the evaluation; nullopt when `stop` was asked for before its end.
// With less memory, `tokens_per_forward` may be fewer; an item of more makes a pass of its own. Scores then
// agree to rounding, and not to the bit: kernels sum in an order that hangs on how many rows they get.
// Requires: items not empty; every token fits the model's vocabulary.
std::optional<Evaluation> evaluate(const Model& model, std::span<const EvalItem> items, EvalKind kind,
                                   EvalNorm norm, std::stop_token stop = {}, const OnScored& on_scored = {},
                                   int64_t tokens_per_forward = kEvalTokensPerForward);

// Returns: tokens of the longest sequence that these items ask of a model with this context: no pass of
// `evaluate` is smaller than its largest.
int64_t longest_sequence(std::span<const EvalItem> items, int64_t context);

// Sums up scored items: metric, value, error, tokens. `items` of the result are those given.
Evaluation tally(std::vector<ItemScore> items, EvalKind kind);

}  // namespace ranktide
