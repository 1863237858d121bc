#include "worker/trainer/lm/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>
#include <algorithm>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// One chunk's logits in the product dtype and in fp32, reused from chunk to chunk: fresh pages of this size
// cost more than the arithmetic on them.
struct Buffers {
  Tensor in_dtype, fp32;  // (rows, V); the same tensor in fp32

  Buffers(int64_t rows, int64_t vocabulary, at::ScalarType dtype)
      : in_dtype(at::empty({rows, vocabulary}, dtype)),
        fp32(dtype == at::kFloat ? in_dtype : at::empty({rows, vocabulary}, at::kFloat)) {}

  // Returns: fp32 logits x W' of this chunk, a view that the next call overwrites.
  Tensor logits(const Tensor& x, const Tensor& w) {
    Tensor out = in_dtype.narrow(0, 0, x.size(0));
    product_into(out, x, w.t());
    if (in_dtype.is_same(fp32)) return out;
    return fp32.narrow(0, 0, x.size(0)).copy_(out);
  }
  // Returns: fp32 rows of this chunk, rounded to the product dtype.
  Tensor rounded(const Tensor& rows) {
    if (in_dtype.is_same(fp32)) return rows;
    return in_dtype.narrow(0, 0, rows.size(0)).copy_(rows);
  }
};

// Turns logits into probabilities in place. Returns: log p(target) per row (n).
Tensor softmax_in_place(Tensor& logits, const Tensor& targets) {
  const Tensor picked = logits.gather(1, targets.unsqueeze(1));  // (n, 1)
  const Tensor highest = logits.amax(1, /*keepdim=*/true);       // (n, 1)
  logits.sub_(highest).exp_();
  const Tensor sum = logits.sum(1, /*keepdim=*/true);  // (n, 1)
  logits.div_(sum);
  return (picked - highest - sum.log()).squeeze(1);
}

struct HeadLoss : Function<HeadLoss> {
  // P = softmax(x W');   loss = -scale sum log P[row, target]
  // dX = scale (P - onehot) W;   dW = scale (P - onehot)' x
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const std::optional<Tensor>& master,
                        const Tensor& w, const Tensor& targets, double scale) {
    Tensor dx = at::empty_like(x);                            // (R, D)
    Tensor dw = master ? at::zeros_like(*master) : Tensor{};  // (V, D)
    Buffers buffers(std::min(kLossRows, x.size(0)), w.size(0), x.scalar_type());
    double sum = 0;
    for (int64_t row = 0; row < x.size(0); row += kLossRows) {
      const int64_t n = std::min(kLossRows, x.size(0) - row);
      const Tensor rows = x.narrow(0, row, n), wanted = targets.narrow(0, row, n);
      Tensor p = buffers.logits(rows, w);  // (n, V)
      sum -= softmax_in_place(p, wanted).sum(at::kDouble).item<double>();
      p.scatter_add_(1, wanted.unsqueeze(1), -at::ones({n, 1}, at::kFloat));
      p.mul_(scale);
      const Tensor dlogits = buffers.rounded(p);  // (n, V), product dtype
      Tensor dx_rows = dx.narrow(0, row, n);
      product_into(dx_rows, dlogits, w);
      if (dw.defined() && dw.scalar_type() == x.scalar_type())
        add_product(dw, dlogits.t(), rows);
      else if (dw.defined())
        dw += product(dlogits.t(), rows);
    }
    ctx->save_for_backward({dx, dw});
    return at::ones({}, at::kDouble).mul_(sum * scale);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const double by = grads[0].item<double>();
    return {by == 1 ? saved[0] : saved[0] * by,
            saved[1].defined() && by != 1 ? saved[1] * by : saved[1],
            {},
            {},
            {}};
  }
};

}  // namespace

Tensor head_loss(const Table& head, const Tensor& x, const Tensor& targets, double scale) {
  RT_CHECK(x.size(0) > 0);
  RT_CHECK(x.size(0) == targets.size(0));
  // LibTorch's Function takes no undefined tensor, so a frozen head passes none.
  const auto master = head.w_master.defined() ? std::optional(head.w_master) : std::nullopt;
  return HeadLoss::apply(x, master, head.w, targets, scale);
}

Tensor head_logits(const Table& head, const Tensor& x) {
  return product(x, head.w.t()).to(at::kFloat);
}

RowScores head_scores(const Table& head, const Tensor& x, const Tensor& targets) {
  Buffers buffers(std::min(kLossRows, x.size(0)), head.w.size(0), x.scalar_type());
  std::vector<Tensor> log_p, greedy;
  for (int64_t row = 0; row < x.size(0); row += kLossRows) {
    const int64_t n = std::min(kLossRows, x.size(0) - row);
    const Tensor wanted = targets.narrow(0, row, n);
    Tensor logits = buffers.logits(x.narrow(0, row, n), head.w);  // (n, V)
    greedy.push_back(logits.gather(1, wanted.unsqueeze(1)).squeeze(1) >= logits.amax(1));
    log_p.push_back(softmax_in_place(logits, wanted));
  }
  return {.log_p = at::cat(log_p), .greedy = at::cat(greedy)};
}

}  // namespace ranktide
