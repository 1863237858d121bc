#pragma once
// The head and what follows it, in chunks of rows: (R, V) is never held, only (kLossRows, V). Softmax and sums
// are fp32. Where bf16 is multiplied as it is, LibTorch's products come out in bf16 (product.h), so logits are
// rounded to it before the softmax, as those of transformers are, and their gradient before it is multiplied.
// Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/model/cost.h"
#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// x: fp32 (R, D), normed rows that have a label; targets: int64 (R). Overwrites dx, fp32 (R, D),
// with the gradient of x, and adds that of the head to its own where it trains: both are made beside the loss,
// where the chunk's probabilities are at hand. Returns: scale * sum of -log p(target), an fp64 number on the
// device, which whoever reads it waits for. Requires: R > 0.
at::Tensor head_loss(const Table& head, const at::Tensor& x, const at::Tensor& targets, double scale,
                     const at::Tensor& dx, Arena& scratch);

// Returns: logits (R, V) in fp32, numbers of bf16 where that is multiplied as it is.
at::Tensor head_logits(const Table& head, const at::Tensor& x, Arena& scratch);

struct RowScores {
  at::Tensor log_p;   // fp32 (R): log p(target)
  at::Tensor greedy;  // bool (R): the target is the first of the likeliest tokens; lm_eval's argmax
};
RowScores head_scores(const Table& head, const at::Tensor& x, const at::Tensor& targets, Arena& scratch);

}  // namespace ranktide
