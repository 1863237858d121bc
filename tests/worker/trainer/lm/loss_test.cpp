// The loss, made in chunks of rows, and its gradients against LibTorch's cross_entropy and autograd on whole
// logits in fp64; and which token is the model's first choice.

#include "worker/trainer/lm/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"

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
  const double loss = head_loss(head, x, targets, kOfRow, dx, scratch).item<double>();

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

// While it lives, bf16 is multiplied as it is, or widened.
class Bf16Products {
 public:
  explicit Bf16Products(bool as_it_is) : before_(multiply_bf16_as_it_is(as_it_is)) {}
  ~Bf16Products() { multiply_bf16_as_it_is(before_); }
  Bf16Products(const Bf16Products&) = delete;
  Bf16Products& operator=(const Bf16Products&) = delete;

 private:
  bool before_;
};

// A head in bf16, and rows that are numbers of bf16, though in fp32 as the engine has them.
struct Bf16Rows {
  Table head;
  Tensor x, targets;
  Bf16Rows(int64_t rows, int64_t vocabulary)
      : x(at::randn({rows, kHidden}).to(at::kBFloat16).to(at::kFloat)),
        targets(at::randint(vocabulary, {rows}, at::kLong)) {
    head.w.value = (at::randn({vocabulary, kHidden}) / 5).to(at::kBFloat16);
    head.w.grad = at::zeros_like(head.w.value, at::kFloat);
  }
};

// How far from cross_entropy of the same factors loss and gradients are.
struct Distances {
  double loss, dx, dw;
};
Distances distances_from_cross_entropy(const Bf16Rows& of) {
  const Tensor dx = at::full_like(of.x, std::numeric_limits<double>::quiet_NaN());
  Arena scratch;
  const double loss = head_loss(of.head, of.x, of.targets, kOfRow, dx, scratch).item<double>();
  const Tensor w_leaf = leaf_of(of.head.w.value), x_leaf = leaf_of(of.x);
  const Tensor expected =
      kOfRow * at::cross_entropy_loss(x_leaf.mm(w_leaf.t()), of.targets, {}, at::Reduction::Sum);
  expected.backward();
  return {.loss = std::abs(loss / expected.item<double>() - 1),
          .dx = distance(dx, x_leaf.grad()),
          .dw = distance(of.head.w.grad, w_leaf.grad())};
}

TEST(Loss, OfWidenedBf16IsRoundedNowhere) {
  start_engine(1);
  const Bf16Products widened(/*as_it_is=*/false);
  for (const int64_t rows : {1, 257, 600}) {
    const Distances of = distances_from_cross_entropy(Bf16Rows(rows, 61));
    EXPECT_LT(std::max({of.loss, of.dx, of.dw}), 1e-6) << rows;
  }
}

// A number is off by 2^-9 of itself at most when it is rounded: the logit, so the loss by as much of the
// largest logit, about 4, beside a loss of about 4; its gradient, and a product, again.
TEST(Loss, OfBf16AsItIsIsRoundedBesideEachProductOnce) {
  start_engine(1);
  const Bf16Products as_it_is(/*as_it_is=*/true);
  for (const int64_t rows : {1, 257, 600}) {
    SCOPED_TRACE(rows);
    const Distances of = distances_from_cross_entropy(Bf16Rows(rows, 61));
    EXPECT_LT(of.loss, 0x1p-9);
    EXPECT_LT(std::max(of.dx, of.dw), 0x1p-7);
    EXPECT_GT(std::min(of.dx, of.dw), 1e-4);  // it is rounded, as loss.h says
  }
}

TEST(Logits, AreNumbersOfBf16WhereThatIsMultipliedAsItIsAndElsewhereNot) {
  start_engine(1);
  const Bf16Rows of(5, 61);
  for (const bool as_it_is : {true, false}) {
    const Bf16Products products(as_it_is);
    Arena scratch;
    const Tensor logits = head_logits(of.head, of.x, scratch);
    EXPECT_EQ(logits.equal(logits.to(at::kBFloat16).to(at::kFloat)), as_it_is);
  }
}

// Words 1 and 3 are equally likely: lm_eval's argmax is the first.
TEST(FirstChoice, OfEquallyLikelyWordsIsTheFirst) {
  start_engine(1);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Table head;
    head.w.value = at::tensor({0, 1, -1, 1, 0}, at::kFloat).unsqueeze(1).to(dtype);  // (V, 1)
    const Tensor targets = at::tensor({1, 3, 0}, at::kLong);
    Arena scratch;
    const Tensor greedy = head_scores(head, at::ones({3, 1}), targets, scratch).greedy;
    EXPECT_TRUE(greedy.equal(at::tensor({1, 0, 0}, at::kLong).to(at::kBool))) << greedy;
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
