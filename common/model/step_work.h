#pragma once
// What one pass of a model makes the processor do: its products one by one, and the bytes that element-wise
// work reads and writes. It follows worker/trainer/lm line by line; a test counts the engine's products beside
// these. Counted, not timed: step_time.h does that. Pure.
// Letters: T tokens of a micro-batch, S of a segment, d hidden, f ffn, L layers, r rank, V vocabulary.

#include <cstdint>
#include <vector>

#include "common/model/cost.h"

namespace ranktide {

// (m, k) (k, n), made `count` times; a batch of products counts each.
struct CountedProduct {
  Dtype dtype = Dtype::fp32;  // of the factors, before a device widens them
  int64_t m = 0, n = 0, k = 0;
  double count = 1;
};

struct PassWork {
  std::vector<CountedProduct> products;
  double bytes = 0;
};

// Of a forward and a backward pass over one micro-batch, everything from tokens to gradients. With LoRA no
// frozen weight has a gradient, no gradient goes on below the lowest adapter of the first layer, and only
// labelled rows have a head. What is computed again on the way back (norm outputs, silu(gate) up, attention
// weights) counts again.
PassWork training_work(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16);

// Of the forward pass of an eval; with LoRA the adapters stay beside the weights.
PassWork eval_work(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16);

// Returns: bytes that the end of a step reads and writes: gradients are cleared, measured, clipped; the
// optimizer; the copy for products in bf16, as the processor makes it: a GPU reads and writes about six times
// as much for it where all weights train.
double optimizer_bytes(const TrialSettings& settings, const ModelShape& shape);

}  // namespace ranktide
