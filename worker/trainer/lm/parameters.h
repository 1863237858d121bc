#pragma once
// What a model trains, as flat buffers: one fp32 run of values, one of gradients and, in bf16, one of product
// copies. Every parameter is a view into them, so clipping, the optimizer and the copy are one pass each, and
// the backward pass adds to the flat gradients where it makes them. Engine-internal: this header shows
// LibTorch.

#include <ATen/core/Tensor.h>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// One tensor to train: its name in files and where the network wants it.
struct ParameterSlot {
  std::string name;
  std::vector<int64_t> sizes;
  bool decays = true;       // weight decay applies: everything but norms and biases, as the field does
  bool stays_fp32 = false;  // the value is the master whatever the product dtype: norms
  Weight* weight = nullptr;
  int64_t offset = 0;  // into flat buffers, by lay_out
};

struct Parameter {
  std::string name;
  at::Tensor value;    // fp32, a view into values
  at::Tensor grad;     // fp32, a view into grads
  int64_t offset = 0;  // into the flat buffers
};

struct ModelTensors {
  Network network;
  std::vector<Parameter> parameters;  // empty: nothing trains
  at::Tensor values, grads;           // fp32, flat
  at::Tensor products;                // product dtype, flat; undefined in fp32 and when nothing trains
  int64_t decayed = 0;                // the first so many elements decay, the others do not
  std::optional<LoraSettings> lora;   // set while an adapter is applied
  uint64_t seed = 0;
};

struct FlatExtent {
  int64_t total = 0;    // elements of flat buffers
  int64_t decayed = 0;  // of those that decay
};

// Sets the slots' offsets: what decays lies first, then the others, each in the slots' order.
FlatExtent lay_out(std::vector<ParameterSlot>& slots);

// Makes the flat buffers on the device, zero, and points the network into them. Requires: called once.
void allocate_parameters(ModelTensors& tensors, std::vector<ParameterSlot> slots, Dtype dtype,
                         at::Device device = at::kCPU);

// Copies the values into the product dtype: a function of the values alone. Called after every change of
// values. Adapters are rounded to nearest, whole models as round_weights does.
void refresh_products(ModelTensors& tensors);

// Rounds a base's weights from fp32 to bf16: stochastically, by their places in flat buffers, the first of
// which is `first`, so that a model in training and the same weights read again are one in bf16. To nearest, no
// product would see a small update: most bases are stored in bf16, so each weight starts in the middle of what
// rounds to it (docs/training.md has what that did to losses). An adapter's A starts anywhere between bf16's
// numbers, and B near 0, where they lie dense. Requires: on the CPU, contiguous, of one size; `out` is bf16.
void round_weights(const at::Tensor& values, int64_t first, const at::Tensor& out);

}  // namespace ranktide
