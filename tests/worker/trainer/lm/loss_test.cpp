// The loss, made in chunks of rows, and its gradients against LibTorch's cross_entropy and autograd on whole
// logits in fp64.

#include "worker/trainer/lm/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <limits>

#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

using at::Tensor;

constexpr int64_t kHidden = 24;
constexpr double kOfRow = 1.0 / 300;  // scale of the loss

Tensor leaf_of(const Tensor& x) {
  return x.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
}

double distance(const Tensor& got, const Tensor& expected) {
  return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

void expect_cross_entropy(int64_t rows, int64_t vocabulary, at::ScalarType dtype, bool head_trains,
                          double tolerance) {
  Table head;
  head.w.value = (at::randn({vocabulary, kHidden}, at::kDouble) / 5).to(dtype);
  if (head_trains) head.w.grad = at::zeros_like(head.w.value);
  const Tensor x = at::randn({rows, kHidden}, at::kDouble).to(dtype);
  const Tensor targets = at::randint(vocabulary, {rows}, at::kLong);
  const Tensor dx = at::full_like(x, std::numeric_limits<double>::quiet_NaN());
  Arena scratch;
  const double loss = head_loss(head, x, targets, kOfRow, dx, scratch);

  const Tensor w_leaf = leaf_of(head.w.value), x_leaf = leaf_of(x);
  const Tensor expected =
      kOfRow * at::cross_entropy_loss(x_leaf.mm(w_leaf.t()), targets, {}, at::Reduction::Sum);
  expected.backward();
  EXPECT_NEAR(loss / expected.item<double>(), 1, tolerance);
  EXPECT_LT(distance(dx, x_leaf.grad()), tolerance);
  if (!head_trains) return;
  EXPECT_LT(distance(head.w.grad, w_leaf.grad()), tolerance);
}

TEST(Loss, InChunksEqualsCrossEntropy) {
  start_engine(1);
  for (const int64_t rows : {1, 255, 256, 257, 600})
    for (const bool head_trains : {true, false}) {
      SCOPED_TRACE(std::to_string(rows) + (head_trains ? " rows, trained head" : " rows, frozen head"));
      expect_cross_entropy(rows, 61, at::kFloat, head_trains, 1e-6);
      expect_cross_entropy(rows, 61, at::kDouble, head_trains, 1e-12);
    }
}

// A row is summed in pieces of 1024 words (row_loops.cpp).
TEST(Loss, OverWordsOfSeveralPiecesEqualsCrossEntropy) {
  start_engine(1);
  for (const int64_t vocabulary : {1023, 1024, 1025, 3 * 1024 + 37}) {
    SCOPED_TRACE(std::to_string(vocabulary) + " words");
    expect_cross_entropy(300, vocabulary, at::kFloat, true, 1e-6);
    expect_cross_entropy(300, vocabulary, at::kDouble, true, 1e-12);
  }
}

}  // namespace
}  // namespace ranktide
