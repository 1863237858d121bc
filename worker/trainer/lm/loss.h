#pragma once
// The head and what follows it, in chunks of rows: (R, V) is never held, only (kLossRows, V). Engine-internal:
// this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/model/cost.h"
#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// x: fp32 (R, D), normed rows that have a label; targets: int64 (R). Overwrites dx, fp32 (R, D),
// with the gradient of x, and adds that of the head to its own where it trains: both are made beside the loss,
// where the chunk's probabilities are at hand. Returns: scale * sum of -log p(target). Requires: R > 0.
double head_loss(const Table& head, const at::Tensor& x, const at::Tensor& targets, double scale,
                 const at::Tensor& dx, Arena& scratch);

// Returns: fp32 logits (R, V).
at::Tensor head_logits(const Table& head, const at::Tensor& x, Arena& scratch);

struct RowScores {
  at::Tensor log_p;   // fp32 (R): log p(target)
  at::Tensor greedy;  // bool (R): no token is likelier than the target
};
RowScores head_scores(const Table& head, const at::Tensor& x, const at::Tensor& targets, Arena& scratch);

}  // namespace ranktide
