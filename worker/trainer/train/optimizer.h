#pragma once
// What turns gradients into the next weights: AdamW (Loshchilov and Hutter 2019) and Lion (Chen et al. 2023),
// over the flat buffers of lm/parameters.h. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {

// fp32, flat, zero before the first step; beside the parameters all that the optimizer remembers.
struct Moments {
  at::Tensor first;   // m
  at::Tensor second;  // v, AdamW's; undefined under Lion, which has none
};

Moments zero_moments(const ModelTensors& tensors, Optimizer optimizer);

// Returns: the global gradient norm.
double gradient_norm(const ModelTensors& tensors);

// Scales gradients down so that their norm is at most `clip`; 0 leaves them.
void clip_gradients(ModelTensors& tensors, double norm, double clip);

// AdamW:  m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   p = p - lr wd p - lr m^ / (sqrt(v^) + eps)
// Lion:   p = p - lr wd p - lr sign(b1 m + (1 - b1) g);   m = b2 m + (1 - b2) g
// Under decay_rule per_step the decay is wd p, whatever the rate. `step` is the one being made, from 1.
// Requires: moments of settings.optimizer.
void optimizer_step(ModelTensors& tensors, Moments& moments, const TrainSettings& settings, double lr,
                    Step step);

}  // namespace ranktide
