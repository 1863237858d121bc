// Our own operations against LibTorch's autograd on the plain formula: values and every gradient.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/silu.h>
#include <array>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"
#include "worker/trainer/lm/attention.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/linear.h"
#include "worker/trainer/lm/loss.h"
#include "worker/trainer/lm/ops.h"

namespace ranktide {
namespace {

using at::Tensor;

Tensor leaf(std::vector<int64_t> sizes, double scale = 1) {
  return (at::randn(sizes, at::kFloat) * scale).detach().requires_grad_();
}

// Computes both, pushes one random gradient through each, and compares values and the gradients of all leaves.
void expect_same(const std::vector<Tensor>& leaves, const std::function<Tensor()>& ours,
                 const std::function<Tensor()>& plain, double tolerance = 2e-5) {
  std::vector<std::vector<Tensor>> gradients;
  std::vector<Tensor> values;
  Tensor push;
  for (const auto& compute : {ours, plain}) {
    for (Tensor l : leaves) l.mutable_grad() = Tensor{};
    Tensor y = compute();
    if (!push.defined()) push = y.dim() == 0 ? at::ones_like(y) : at::randn_like(y);
    y.backward(push.to(y.scalar_type()));
    values.push_back(y.detach().to(at::kFloat));
    gradients.emplace_back();
    for (const Tensor& l : leaves) gradients.back().push_back(l.grad().clone());
  }
  EXPECT_LT((values[0] - values[1]).abs().max().item<double>(), tolerance);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const double scale = std::max(1.0, gradients[1][i].abs().max().item<double>());
    EXPECT_LT((gradients[0][i] - gradients[1][i]).abs().max().item<double>(), tolerance * scale)
        << "leaf " << i;
  }
}

TEST(Oracle, ChunkedLossEqualsCrossEntropyOverSeveralChunks) {
  const Tensor x = leaf({2 * kLossRows + 37, 12}), w = leaf({50, 12});
  const Tensor targets = at::randint(0, 50, {x.size(0)}, at::kLong);
  const Table head{.w = w.detach(), .w_master = w};
  expect_same(
      {x, w}, [&] { return head_loss(head, x, targets, 1.0 / static_cast<double>(x.size(0))); },
      [&] { return at::cross_entropy_loss(x.mm(w.t()), targets); });
}

TEST(Oracle, LinearWithAdapterAndDropout) {
  const Tensor x = leaf({21, 8}), w = leaf({10, 8}), c = leaf({10}), a = leaf({3, 8}), b = leaf({10, 3});
  const Linear layer{.w = w.detach(),
                     .w_master = w,
                     .bias = c.detach(),
                     .bias_master = c,
                     .a = a.detach(),
                     .b = b.detach(),
                     .a_master = a,
                     .b_master = b,
                     .scale = 1.5};
  const DropoutKey dropout{.key = 5, .rate = 0.3, .first_row = 7};
  const Tensor mask = dropout_mask(dropout, 21, 8, at::kFloat);
  expect_same(
      {x, w, c, a, b}, [&] { return linear(layer, x, dropout); },
      [&] { return at::linear(x, w, c) + 1.5 * (x * mask).mm(a.t()).mm(b.t()); });
  expect_same(
      {x, a, b}, [&] { return linear(layer, x, {}); },
      [&] { return at::linear(x, w, c) + 1.5 * x.mm(a.t()).mm(b.t()); });
}

TEST(Oracle, RmsNorm) {
  const Tensor x = leaf({9, 16}), w = leaf({16});
  expect_same(
      {x, w}, [&] { return rms_norm({w}, x, 1e-5, at::kFloat); },
      [&] { return x * (x.square().mean(-1, true) + 1e-5).rsqrt() * w; });
}

TEST(Oracle, RotationOfHalves) {
  const ModelShape shape{.head_dim = 8, .rope_theta = 100};
  const Rotation r = rotation(shape, at::arange(5, at::kLong));
  const Tensor x = leaf({5, 3, 8});
  const auto plain = [&] {
    const Tensor cos = at::cat({r.cos, r.cos}, -1), sin = at::cat({r.sin, r.sin}, -1);
    const Tensor half = at::cat({-x.narrow(2, 4, 4), x.narrow(2, 0, 4)}, -1);
    return x * cos + half * sin;
  };
  expect_same(
      {x}, [&] { return rotate(x, r, at::kFloat); }, plain);
}

TEST(Oracle, SwiGlu) {
  const Tensor gate = leaf({7, 11}), up = leaf({7, 11});
  expect_same(
      {gate, up}, [&] { return swiglu(gate, up); }, [&] { return at::silu(gate) * up; });
}

TEST(Oracle, EmbeddingAddsUpRepeatedTokens) {
  const Tensor w = leaf({6, 4});
  const Tensor tokens = at::randint(0, 6, {15}, at::kLong);
  expect_same(
      {w}, [&] { return embed({.w = w.detach(), .w_master = w}, tokens); },
      [&] { return w.index_select(0, tokens); });
}

// Plain causal attention of one segment, grouped queries by repetition.
Tensor plain_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t group = q.size(1) / k.size(1), length = q.size(0);
  const Tensor qh = q.transpose(0, 1), kh = k.repeat_interleave(group, 1).transpose(0, 1),
               vh = v.repeat_interleave(group, 1).transpose(0, 1);
  const Tensor future = at::ones({length, length}, at::kBool).triu(1);
  const Tensor p = (qh.matmul(kh.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2))))
                       .masked_fill(future, -1e30)
                       .softmax(-1);
  return p.matmul(vh).transpose(0, 1).reshape({length, -1});
}

TEST(Oracle, PackedAttentionEqualsSegmentsApart) {
  const Tensor q = leaf({19, 4, 8}), k = leaf({19, 2, 8}), v = leaf({19, 2, 8});
  const std::array<int32_t, 4> ends{5, 10, 11, 19};
  const auto apart = [&] {
    std::vector<Tensor> parts;
    for (const auto& [from, n] : {std::pair{0, 5}, {5, 5}, {10, 1}, {11, 8}})
      parts.push_back(plain_attention(q.narrow(0, from, n), k.narrow(0, from, n), v.narrow(0, from, n)));
    return at::cat(parts);
  };
  expect_same(
      {q, k, v}, [&] { return attention(q, k, v, ends, {}); }, apart);
}

TEST(Dropout, KeepsTheMeanAndDropsTheRate) {
  const Tensor mask = dropout_mask({.key = 1, .rate = 0.25, .first_row = 0}, 400, 100, at::kFloat);
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(mask.mean().item<double>(), 1, 0.01);
}

TEST(Dropout, IsAFunctionOfTheTokenNotOfTheMicroBatch) {
  const Tensor whole = dropout_mask({.key = 3, .rate = 0.5, .first_row = 0}, 10, 9, at::kFloat);
  const Tensor rest = dropout_mask({.key = 3, .rate = 0.5, .first_row = 6}, 4, 9, at::kFloat);
  EXPECT_TRUE(whole.narrow(0, 6, 4).equal(rest));
}

// Rows that end before, at and after a block of the vectors, and counters beyond 32 bits.
TEST(Dropout, IsDrawnFromPhiloxOfRowAndColumn) {
  const DropoutKey key{.key = 0x123456789abcdef0, .rate = 0.4, .first_row = (int64_t{1} << 33) - 1};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const float kept = at::full({}, 1 / (1 - key.rate), at::kFloat).to(dtype).item<float>();
    for (const int64_t cols : {1, 6, 127, 128, 129, 576}) {
      const Tensor mask = dropout_mask(key, 3, cols, dtype).to(at::kFloat);
      for (int64_t row = 0; row < 3; ++row) {
        for (int64_t col = 0; col < cols; ++col) {
          const auto words =
              Philox{key.key}(static_cast<uint64_t>(col / 4), static_cast<uint64_t>(key.first_row + row));
          const bool is_dropped = words[static_cast<size_t>(col % 4)] < std::llround(key.rate * 0x1p32);
          ASSERT_EQ(mask[row][col].item<float>(), is_dropped ? 0 : kept)
              << row << ", " << col << " of " << cols;
        }
      }
    }
  }
}

TEST(Dropout, DiffersByStepLayerAndPlace) {
  const Chance chance{.seed = 1, .step = 2};
  const uint64_t key = dropout_key(chance, 3, 4, 0.1, 0).key;
  EXPECT_NE(key, dropout_key({.seed = 1, .step = 3}, 3, 4, 0.1, 0).key);
  EXPECT_NE(key, dropout_key(chance, 4, 4, 0.1, 0).key);
  EXPECT_NE(key, dropout_key(chance, 3, 5, 0.1, 0).key);
}

}  // namespace
}  // namespace ranktide
