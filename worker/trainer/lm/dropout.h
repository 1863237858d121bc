#pragma once
// Dropout without a generator: a mask is a pure function of (seed, step, layer, place, token of the step,
// column), so micro-batches, packing and resumes draw the same masks, and the backward pass computes them again
// instead of saving.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <optional>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// What a training forward knows about chance; evaluation has none.
struct Chance {
  uint64_t seed = 0;
  Step step = 0;
  int64_t first_token = 0;  // of this micro-batch within its step
  double lora_dropout = 0;
  double attention_dropout = 0;
};

// Returns: that of a trial's step, for its first micro-batch.
Chance chance_of(const TrialSettings& settings, Step step);

// Places of a layer: 0-6 are the adapters in the order of kLinears. Values are permanent: results depend on
// them.
inline constexpr int kAttentionPlace = 7;

struct DropoutKey {
  uint64_t key = 0;
  double rate = 0;  // 0: nothing is dropped
  int64_t first_row = 0;
};

DropoutKey dropout_key(const Chance& chance, size_t layer, int place, double rate, int64_t first_row);
// Returns: the key of an adapter's input, whose rows are tokens; none without chance.
DropoutKey adapter_dropout(const std::optional<Chance>& chance, size_t layer, int place);
// Returns: the key of attention weights, whose rows are (token, head).
DropoutKey attention_dropout(const std::optional<Chance>& chance, size_t layer, int64_t heads);

// Returns: the dtype of masks over values of `dtype`: bf16, else fp32.
at::ScalarType mask_dtype(at::ScalarType dtype);

// Fills (rows, cols) with 0 or 1 / (1 - rate). Requires: mask is contiguous, of a mask's dtype.
void draw_dropout_mask(const DropoutKey& key, const at::Tensor& mask);
// The same bits by operations on tensors, wherever the mask lies: what draws the large masks of a device.
void draw_dropout_mask_by_operations(const DropoutKey& key, const at::Tensor& mask);

}  // namespace ranktide
