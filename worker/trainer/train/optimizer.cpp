#include "worker/trainer/train/optimizer.h"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <algorithm>
#include <cmath>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/tensor_bytes.h"

namespace ranktide {
namespace {

// What has had no gradient yet, as an adapter's A at its first step (B = 0), has two moments of 0, whose ratio
// is no number under an eps of 0. Of a gradient below some 1e-21 the square is 0 in fp32 and the first moment
// is not: by this eps its step stays about lr at most. Beside roots above 1e-13 it rounds away.
constexpr double kEpsMin = 1e-21;

// Elements [from, to) of the flat buffers share one decay.
void adamw_range(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, double decay, Step step,
                 int64_t from, int64_t to) {
  if (from == to) return;
  std::vector<at::Tensor> p{t.values.slice(0, from, to)}, g{t.grads.slice(0, from, to)};
  std::vector<at::Tensor> m{moments.first.slice(0, from, to)}, v{moments.second.slice(0, from, to)};
  std::vector<at::Tensor> steps{at::full({}, static_cast<double>(step), t.values.options())};
  at::_fused_adamw_(p, g, m, v, /*max_exp_avg_sqs=*/{}, steps, lr, s.beta1, s.beta2, decay,
                    std::max(s.eps, kEpsMin), /*amsgrad=*/false,
                    /*maximize=*/false);
}

// Elements of a piece: on the CPU its tensors stay in the cache from one operation to the next, on a device few
// pieces are few launches.
constexpr int64_t kCpuPiece = int64_t{1} << 16;
constexpr int64_t kDevicePiece = int64_t{1} << 24;

// One piece of the flat buffers.
void lion_piece(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m, const TrainSettings& s,
                double lr, double decay) {
  if (decay > 0) p.mul_(1 - lr * decay);
  p.add_(at::mul(m, s.beta1).add_(g, 1 - s.beta1).sign_(), -lr);
  m.mul_(s.beta2).add_(g, 1 - s.beta2);
}

void lion_range(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, double decay,
                int64_t from, int64_t to) {
  const int64_t piece = t.values.is_cpu() ? kCpuPiece : kDevicePiece;
  for (int64_t at = from; at < to; at += piece) {
    const int64_t n = std::min(piece, to - at);
    lion_piece(t.values.narrow(0, at, n), t.grads.narrow(0, at, n), moments.first.narrow(0, at, n), s, lr,
               decay);
  }
}

void update_range(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, double decay, Step step,
                  int64_t from, int64_t to) {
  switch (s.optimizer) {
    case Optimizer::adamw:
      return adamw_range(t, moments, s, lr, decay, step, from, to);
    case Optimizer::lion:
      return lion_range(t, moments, s, lr, decay, from, to);
  }
}

}  // namespace

Moments zero_moments(const ModelTensors& tensors, Optimizer optimizer) {
  Moments moments{.first = at::zeros_like(tensors.values), .second = {}};
  if (optimizer == Optimizer::adamw) moments.second = at::zeros_like(tensors.values);
  return moments;
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

void optimizer_step(ModelTensors& t, Moments& moments, const TrainSettings& s, double lr, Step step) {
  RT_CHECK(moments.second.defined() == (s.optimizer == Optimizer::adamw));
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
