#include "worker/trainer/lm/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <numbers>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>

namespace ranktide {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct Embed : Function<Embed> {
  // y = W[tokens]
  static Tensor forward(AutogradContext* ctx, const Tensor& w, const std::optional<Tensor>& /*master*/,
                        const Tensor& tokens) {
    ctx->save_for_backward({tokens, w});
    return w.index_select(0, tokens).to(at::kFloat);  // (T, D)
  }
  // dW[token] += dy
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    return {{}, at::zeros_like(saved[1], at::kFloat).index_add_(0, saved[0], grads[0]), {}};  // (V, D)
  }
};

struct RmsNorm : Function<RmsNorm> {
  // x^ = x / sqrt(mean(x^2) + eps);   y = w x^
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w, double eps,
                        at::ScalarType dtype) {
    const Tensor inverse = (x.square().mean(-1, /*keepdim=*/true) + eps).rsqrt_();  // (..., 1)
    ctx->save_for_backward({x, w, inverse});
    return (x * inverse).mul_(w).to(dtype);  // (..., D)
  }
  // dx = (w dy - x^ mean(w dy x^)) / rms;   dw = sum over rows of dy x^
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1], &inverse = saved[2];
    const Tensor dy = grads[0].to(at::kFloat);
    const Tensor xhat = x * inverse;
    Tensor dw;
    if (ctx->needs_input_grad(1)) dw = (dy * xhat).reshape({-1, w.size(0)}).sum(0);  // (D)
    const Tensor wdy = dy * w;
    const Tensor along = (wdy * xhat).mean(-1, /*keepdim=*/true);  // (..., 1)
    return {(wdy - xhat * along).mul_(inverse), dw, {}, {}};       // (..., D)
  }
};

// Both halves turn by the angle: (x1 cos - x2 sin, x2 cos + x1 sin).
Tensor turn(const Tensor& x, const Tensor& cos, const Tensor& sin, at::ScalarType dtype) {
  const auto halves = x.to(at::kFloat).chunk(2, -1);  // 2 of (T, H, hd / 2)
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1).to(dtype);
}

struct Rotate : Function<Rotate> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos, const Tensor& sin,
                        at::ScalarType dtype) {
    ctx->save_for_backward({cos, sin});
    ctx->saved_data["dtype"] = static_cast<int64_t>(x.scalar_type());
    return turn(x, cos, sin, dtype);
  }
  // A rotation's transpose turns back.
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto dtype = static_cast<at::ScalarType>(ctx->saved_data["dtype"].toInt());
    return {turn(grads[0], saved[0], -saved[1], dtype), {}, {}, {}};
  }
};

struct SwiGlu : Function<SwiGlu> {
  // y = silu(g) u
  static Tensor forward(AutogradContext* ctx, const Tensor& gate, const Tensor& up) {
    ctx->save_for_backward({gate, up});
    return at::silu(gate).mul_(up);  // (T, F)
  }
  // dg = dy u silu'(g);   du = dy silu(g), computed again rather than saved
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    return {at::silu_backward(grads[0] * saved[1], saved[0]), at::silu(saved[0]).mul_(grads[0])};
  }
};

// Llama 3 stretches long wavelengths by `factor`, keeps short ones, and blends between.
Tensor llama3_frequencies(const Tensor& inverse, const Llama3Rope& rope) {
  const Tensor wavelength = (2 * std::numbers::pi) / inverse;
  const Tensor stretched = inverse / rope.factor;
  const Tensor blend = (rope.original_context / wavelength - rope.low_freq_factor) /
                       (rope.high_freq_factor - rope.low_freq_factor);
  const Tensor blended = (1 - blend) * stretched + blend * inverse;
  const Tensor is_long = wavelength > rope.original_context / rope.low_freq_factor;
  const Tensor is_short = wavelength < rope.original_context / rope.high_freq_factor;
  return at::where(is_long, stretched, at::where(is_short, inverse, blended));
}

}  // namespace

Tensor embed(const Table& table, const Tensor& tokens) {
  // LibTorch's Function takes no undefined tensor, so a frozen table passes none.
  return Embed::apply(table.w, table.w_master.defined() ? std::optional(table.w_master) : std::nullopt, tokens);
}

Tensor rms_norm(const Norm& norm, const Tensor& x, double eps, at::ScalarType dtype) {
  return RmsNorm::apply(x, norm.w, eps, dtype);
}

Rotation rotation(const ModelShape& shape, const Tensor& positions) {
  const Tensor exponent =
      at::arange(0, shape.head_dim, 2, at::kLong).to(at::kFloat) / static_cast<double>(shape.head_dim);
  Tensor inverse = at::reciprocal(at::pow(shape.rope_theta, exponent));  // (hd / 2)
  if (shape.llama3_rope) inverse = llama3_frequencies(inverse, *shape.llama3_rope);
  const Tensor angle = (positions.to(at::kFloat).unsqueeze(1) * inverse).unsqueeze(1);  // (T, 1, hd / 2)
  return {.cos = angle.cos(), .sin = angle.sin()};
}

Tensor rotate(const Tensor& x, const Rotation& rotation, at::ScalarType dtype) {
  return Rotate::apply(x, rotation.cos, rotation.sin, dtype);
}

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  return SwiGlu::apply(gate, up);
}

}  // namespace ranktide
