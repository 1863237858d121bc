#include "worker/trainer/lm/linear.h"

#include <ATen/TensorOperators.h>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>

#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// nullopt where there is no master: LibTorch's Function takes no undefined tensor.
using MaybeTensor = std::optional<Tensor>;
MaybeTensor maybe(const Tensor& tensor) {
  return tensor.defined() ? MaybeTensor{tensor} : std::nullopt;
}

// The masters are arguments only so that autograd asks for their gradients; products use the product tensors.
struct LinearOp : Function<LinearOp> {
  // x~ = dropout(x);   y = x W' + c + s (x~ A') B'                LoRA (Hu et al. 2021), eq. 3
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const MaybeTensor& w_master,
                        const MaybeTensor& bias_master, const MaybeTensor& /*a_master*/,
                        const MaybeTensor& /*b_master*/, const Linear& layer, const DropoutKey& dropout) {
    Tensor y = affine(x, layer.w, layer.bias);  // (T, Out)
    Tensor xa;
    if (layer.a.defined()) {
      xa = product(dropout.rate > 0 ? x * mask_of(x, dropout) : x, layer.a.t());  // (T, r)
      add_product(y, xa, layer.b.t(), layer.scale);                               // (T, Out)
    }
    ctx->save_for_backward({x, layer.w, layer.a, layer.b, xa});
    ctx->saved_data["trains_w"] = w_master.has_value();
    ctx->saved_data["trains_bias"] = bias_master.has_value();
    ctx->saved_data["scale"] = layer.scale;
    ctx->saved_data["key"] = static_cast<int64_t>(dropout.key);
    ctx->saved_data["rate"] = dropout.rate;
    ctx->saved_data["first_row"] = dropout.first_row;
    return y;
  }

  // dW = dy' x;   dc = sum dy;   dB = s dy' (x~ A');   dA = s (dy B)' x~;   dx = dy W + dropout(s (dy B) A)
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1], &a = saved[2], &b = saved[3], &xa = saved[4];
    const Tensor dy = grads[0].contiguous();  // (T, Out)
    Tensor dx, dw, dc, da, db;
    if (ctx->needs_input_grad(0)) dx = product(dy, w);                                           // (T, In)
    if (ctx->saved_data["trains_w"].toBool()) dw = product(dy.t(), x).to(at::kFloat);            // (Out, In)
    if (ctx->saved_data["trains_bias"].toBool()) dc = dy.sum(0, /*keepdim=*/false, at::kFloat);  // (Out)
    if (a.defined()) {
      const double scale = ctx->saved_data["scale"].toDouble();
      const DropoutKey dropout{.key = static_cast<uint64_t>(ctx->saved_data["key"].toInt()),
                               .rate = ctx->saved_data["rate"].toDouble(),
                               .first_row = ctx->saved_data["first_row"].toInt()};
      const Tensor dyb = product(dy, b).mul_(scale);        // (T, r)
      db = product(dy.t(), xa).to(at::kFloat).mul_(scale);  // (Out, r)
      if (dropout.rate > 0) {
        const Tensor mask = mask_of(x, dropout);         // (T, In), drawn again rather than saved
        da = product(dyb.t(), x * mask).to(at::kFloat);  // (r, In)
        if (dx.defined()) dx += product(dyb, a).mul_(mask);
      } else {
        da = product(dyb.t(), x).to(at::kFloat);
        if (dx.defined()) add_product(dx, dyb, a);
      }
    }
    return {dx, dw, dc, da, db, {}, {}};
  }

  static Tensor mask_of(const Tensor& x, const DropoutKey& dropout) {
    return dropout_mask(dropout, x.size(0), x.size(1), x.scalar_type());
  }
};

}  // namespace

Tensor linear(const Linear& layer, const Tensor& x, const DropoutKey& dropout) {
  return LinearOp::apply(x, maybe(layer.w_master), maybe(layer.bias_master), maybe(layer.a_master),
                         maybe(layer.b_master), layer, dropout);
}

}  // namespace ranktide
