#pragma once
// The head and what follows it, in chunks of rows: (R, V) is never held, only (kLossRows, V).

#include <ATen/core/Tensor.h>

#include "worker/trainer/lm/network.h"

namespace ranktide {

inline constexpr int64_t kLossRows = 256;

// x: (R, D) in the product dtype, normed rows that have a label; targets: int64 (R).
// Returns: fp64 scalar, scale * sum of -log p(target). Gradients are made in the forward pass, where the
// chunk's probabilities are at hand. Requires: R > 0.
at::Tensor head_loss(const Table& head, const at::Tensor& x, const at::Tensor& targets, double scale);

// Returns: fp32 logits (R, V).
at::Tensor head_logits(const Table& head, const at::Tensor& x);

struct RowScores {
  at::Tensor log_p;   // fp32 (R): log p(target)
  at::Tensor greedy;  // bool (R): no token is likelier than the target
};
RowScores head_scores(const Table& head, const at::Tensor& x, const at::Tensor& targets);

}  // namespace ranktide
