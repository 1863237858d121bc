#include "worker/trainer/train/adamw.h"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>

#include "worker/trainer/lm/tensor_bytes.h"

namespace ranktide {
namespace {

// Elements [from, to) of the flat buffers share one decay.
void update_range(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, double decay, Step step,
                  int64_t from, int64_t to) {
  if (from == to) return;
  std::vector<at::Tensor> p{t.values.slice(0, from, to)}, g{t.grads.slice(0, from, to)};
  std::vector<at::Tensor> m{moments.first.slice(0, from, to)}, v{moments.second.slice(0, from, to)};
  std::vector<at::Tensor> steps{at::full({}, static_cast<double>(step), t.values.options())};
  at::_fused_adamw_(p, g, m, v, /*max_exp_avg_sqs=*/{}, steps, lr, s.beta1, s.beta2, decay, s.eps,
                    /*amsgrad=*/false,
                    /*maximize=*/false);
}

}  // namespace

Moments zero_moments(const ModelTensors& tensors) {
  return {.first = at::zeros_like(tensors.values), .second = at::zeros_like(tensors.values)};
}

// By parameter: one fp32 sum over a hundred million squares would lose digits. A device is waited for once.
double gradient_norm(const ModelTensors& tensors) {
  std::vector<at::Tensor> norms;
  for (const Parameter& p : tensors.parameters) norms.push_back(at::linalg_vector_norm(p.grad));
  const at::Tensor all = on_host(at::stack(norms)).to(at::kDouble);
  const double* norm = all.const_data_ptr<double>();
  double squares = 0;
  for (size_t i = 0; i < norms.size(); ++i) squares += norm[i] * norm[i];
  return std::sqrt(squares);
}

void clip_gradients(ModelTensors& tensors, double norm, double clip) {
  if (clip > 0 && norm > clip)
    tensors.grads.mul_(clip / (norm + 1e-6));  // the field's epsilon, for equal curves
}

void adamw_step(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, Step step) {
  double decay = s.weight_decay;
  if (s.decay_rule == DecayRule::per_step && decay > 0) {
    t.values.slice(0, 0, t.decayed).mul_(1 - decay);
    decay = 0;
  }
  update_range(t, moments, s, lr, decay, step, 0, t.decayed);
  update_range(t, moments, s, lr, 0, step, t.decayed, t.values.numel());
  refresh_products(t);
}

}  // namespace ranktide
