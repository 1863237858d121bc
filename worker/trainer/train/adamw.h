#pragma once
// AdamW (Loshchilov and Hutter 2019) over the flat buffers of lm/parameters.h, one pass. Engine-internal.

#include <ATen/core/Tensor.h>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {

// fp32, flat, zero before the first step; beside the parameters all that the optimizer remembers.
struct Moments {
  at::Tensor first;   // m
  at::Tensor second;  // v
};

Moments zero_moments(const ModelTensors& tensors);

// Returns: the global gradient norm.
double gradient_norm(const ModelTensors& tensors);

// Scales gradients down so that their norm is at most `clip`; 0 leaves them.
void clip_gradients(ModelTensors& tensors, double norm, double clip);

// m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   p = p - lr wd p - lr m^ / (sqrt(v^) + eps)
// Under decay_rule per_step the decay is wd p, whatever the rate. `step` is the one being made, from 1.
void adamw_step(ModelTensors& tensors, Moments& moments, const TrainSettings& settings, double lr, Step step);

}  // namespace ranktide
