#include <array>

#include "worker/trainer/lm/layer.h"

namespace ranktide {
namespace {

using at::Tensor;

std::array<Branch, 2> gate_up_of(const Layer& layer, size_t index, const Pass& pass) {
  return {Branch{layer.gate, adapter_dropout(pass.chance, index, 4)},
          Branch{layer.up, adapter_dropout(pass.chance, index, 5)}};
}

Branch down_of(const Layer& layer, size_t index, const Pass& pass) {
  return {layer.down, adapter_dropout(pass.chance, index, 6)};
}

}  // namespace

bool feed_forward_trains(const Layer& layer) {
  return layer.mlp_norm.w.trains() || linear_trains(layer.gate) || linear_trains(layer.up) ||
         linear_trains(layer.down);
}

// x = norm(h);   sum = h + (silu(x Wg') (x Wu')) Wd'
void feed_forward_forward(const Layer& layer, size_t index, const Tensor& h, const Tensor& sum,
                          FeedForwardSaved& saved, const Pass& pass) {
  Arena &kept = pass.memory.kept, &scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const int64_t rows = h.size(0), ffn = pass.shape.ffn;
  saved.gate = kept.take({rows, ffn}, pass.dtype);  // (T, F)
  saved.up = kept.take({rows, ffn}, pass.dtype);    // (T, F)
  entry_forward(layer.mlp_norm, gate_up_of(layer, index, pass), h, pass.shape.norm_eps,
                std::array{saved.gate, saved.up}, saved.entry, pass.memory);
  const Tensor y = scratch.take({rows, ffn}, h.scalar_type());  // (T, F)
  swiglu_forward(saved.gate, saved.up, y, scratch);
  add_linear_forward(down_of(layer, index, pass), y, h, sum, saved.down, pass.memory);  // (T, D)
}

void feed_forward_backward(const Layer& layer, size_t index, const Tensor& dh, const FeedForwardSaved& saved,
                           const Pass& pass, Below below) {
  Arena& scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const auto like_ffn = [&] { return scratch.take(saved.gate.sizes(), dh.scalar_type()); };
  const auto gate_up = gate_up_of(layer, index, pass);
  const std::array down{down_of(layer, index, pass)};
  Tensor y, dy;  // (T, F)
  if (needs_input(down)) swiglu_forward(saved.gate, saved.up, y = like_ffn(), scratch);
  if (entry_is_reached(layer.mlp_norm, gate_up, below)) dy = like_ffn();
  linears_backward(down, std::array{dh}, y, saved.down, dy, scratch);
  if (!dy.defined()) return;
  const Tensor dup = y.defined() ? y : like_ffn();  // (T, F)
  swiglu_backward(saved.gate, saved.up, dy, dup, scratch);
  entry_backward(layer.mlp_norm, gate_up, std::array{dy, dup}, saved.entry, dh, below, scratch);
}

}  // namespace ranktide
