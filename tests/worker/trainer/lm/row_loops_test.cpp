// The processor's loops beside LibTorch's operations, which another device computes by: the same to rounding,
// the same bits on any number of threads, and what is not finite stays so.

#include "worker/trainer/lm/row_loops.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <thread>
#include <vector>

#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/ops.h"

namespace ranktide {
namespace {

using at::Tensor;
using Results = std::vector<Tensor>;

constexpr int64_t kTokens = 700, kHeads = 3, kHeadDim = 18,
                  kWidth = kHeads * kHeadDim + 5;  // no vector's multiple

// What a function of ops.h makes of random tensors in a dtype.
using Operation = std::function<Results(at::ScalarType dtype, Arena& scratch)>;

Tensor normal(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::randn(sizes, at::kDouble).mul_(3).to(dtype);
}

Results norm(at::ScalarType dtype, Arena& scratch) {
  const Norm norm{.w = {.value = normal({kWidth}, dtype), .master = {}, .grad = at::zeros({kWidth}, dtype)}};
  const Tensor x = normal({kTokens, kWidth}, dtype), dy = normal({kTokens, kWidth}, dtype);
  const Tensor inverse = at::zeros({kTokens, 1}, dtype), y = at::zeros({kTokens, kWidth}, dtype);
  const Tensor dx = normal({kTokens, kWidth}, dtype);
  inverse_rms(x, 1e-5, inverse, scratch);
  rms_norm_forward(norm, x, inverse, y, scratch);
  rms_norm_backward(norm, x, inverse, dy, dx, scratch);
  return {inverse, y, dx, norm.w.grad};
}

Results turned(at::ScalarType dtype, Arena&) {
  const Tensor angle = at::rand({kTokens, 1, kHeadDim / 2}, at::kDouble);
  const Rotation turn{.cos = angle.cos().to(dtype), .sin = angle.sin().to(dtype)};
  const Tensor x = normal({kTokens, kHeads, kHeadDim}, dtype),
               y = at::zeros({kTokens, kHeads, kHeadDim}, dtype);
  rotate(x, turn, y);
  return {y};
}

// Of gates and ups kept in bf16 where the dtype is that.
Results swiglu(at::ScalarType dtype, Arena& scratch) {
  const at::ScalarType sums = sum_dtype(dtype);
  const Tensor gate = normal({kTokens, kWidth}, dtype), up = normal({kTokens, kWidth}, dtype);
  const Tensor y = at::zeros({kTokens, kWidth}, sums), dup = at::zeros({kTokens, kWidth}, sums);
  const Tensor dy = normal({kTokens, kWidth}, sums);
  swiglu_forward(gate, up, y, scratch);
  swiglu_backward(gate, up, dy, dup, scratch);
  return {y, dy, dup};
}

Results results_of(const Operation& operation, at::ScalarType dtype, bool by_rows, int threads) {
  start_engine(threads);
  at::manual_seed(7);
  const bool before = compute_by_rows(by_rows);
  Arena scratch;
  Results results = operation(dtype, scratch);
  compute_by_rows(before);
  return results;
}

const std::vector<Operation> kOperations{norm, turned, swiglu};

// The softmax of attention, its way back and the loss, over rows that are dealt out to so many threads.
Results weighed_and_lost(int64_t threads) {
  at::manual_seed(7);
  constexpr int64_t kColumns = 300;
  const CausalBlock block{.rows = 66, .group = 2, .seen = 250};
  const Tensor p = normal({kTokens, kColumns}, at::kFloat), ds = normal({kTokens, kColumns}, at::kFloat);
  const Tensor logits = normal({kTokens, kColumns}, at::kFloat), log_p = at::zeros({kTokens}, at::kFloat);
  const Tensor targets = at::arange(0, kTokens, at::kLong).remainder_(kColumns);
  const auto compute = [&](const RowRange& rows) {
    causal_softmax_rows(rows, block, changed_values_of<float>(p));
    causal_softmax_backward_rows(rows, block, values_of<float>(p), changed_values_of<float>(ds));
    loss_rows(rows, kColumns, values_of<int64_t>(targets), 0.5, changed_values_of<float>(logits),
              changed_values_of<float>(log_p));
  };
  std::vector<std::jthread> running;
  for (int64_t i = 0; i < threads; ++i)
    running.emplace_back(
        compute, RowRange{.from = kTokens * i / threads, .to = kTokens * (i + 1) / threads, .width = kColumns});
  running.clear();  // waits
  return {p, ds, logits, log_p};
}

TEST(RowLoops, AreLibTorchsOperationsToRounding) {
  for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, 3e-6}, {at::kDouble, 1e-13}}) {
    for (const Operation& operation : kOperations) {
      const Results loops = results_of(operation, dtype, true, 1),
                    libtorch = results_of(operation, dtype, false, 1);
      for (size_t i = 0; i < loops.size(); ++i)
        EXPECT_LT((loops[i] - libtorch[i]).norm().item<double>(), tolerance * libtorch[i].norm().item<double>())
            << "result " << i << " in " << toString(dtype);
    }
  }
}

TEST(RowLoops, WidenGatesAndUpsThatAreKeptInBf16) {
  const Results loops = results_of(swiglu, at::kBFloat16, true, 1),
                libtorch = results_of(swiglu, at::kBFloat16, false, 1);
  for (size_t i = 0; i < loops.size(); ++i)
    EXPECT_LT((loops[i] - libtorch[i]).norm().item<double>(), 3e-6 * libtorch[i].norm().item<double>()) << i;
}

TEST(RowLoops, ComputeTheSameBitsOnAnyNumberOfThreads) {
  for (const Operation& operation : kOperations) {
    const Results one = results_of(operation, at::kFloat, true, 1),
                  two = results_of(operation, at::kFloat, true, 2);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << "result " << i;
  }
}

// Ranges begin in the middle of a block of attention too.
TEST(RowLoops, ComputeTheSameWeightsAndLossOnAnyNumberOfThreads) {
  const Results one = weighed_and_lost(1);
  for (const int64_t threads : {2, 3, 7}) {
    const Results several = weighed_and_lost(threads);
    ASSERT_EQ(one.size(), several.size());
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_TRUE(at::equal(one[i], several[i])) << "result " << i << ", " << threads << " threads";
  }
}

// A row of each: what it sees, in fp64, and what the loop made of it.
TEST(RowLoops, SoftmaxOfWhatARowSeesIsOneAndNothingBeyond) {
  constexpr int64_t kColumns = 37;
  const CausalBlock block{.rows = 6, .group = 2, .seen = 35};
  const Tensor scores = normal({12, kColumns}, at::kFloat), p = scores.clone();
  causal_softmax_rows({.from = 0, .to = 12, .width = kColumns}, block, p.mutable_data_ptr<float>());
  for (int64_t row = 0; row < 12; ++row) {
    const int64_t seen = 35 + row % 6 / 2;
    const Tensor expected = scores[row].narrow(0, 0, seen).to(at::kDouble).softmax(0);
    EXPECT_TRUE(at::allclose(p[row].narrow(0, 0, seen).to(at::kDouble), expected, 1e-6, 1e-9)) << row;
    EXPECT_EQ(p[row].narrow(0, seen, kColumns - seen).abs().sum().item<double>(), 0) << row;
  }
}

// Exponentials are summed in pieces of 1024.
TEST(RowLoops, ARowOfMoreColumnsThanAPieceIsSummedInPieces) {
  constexpr int64_t kColumns = 2600, kSeen = 2500;
  const CausalBlock block{.rows = 1, .group = 1, .seen = kSeen};
  const Tensor scores = normal({1, kColumns}, at::kFloat), p = scores.clone();
  const Tensor dp = normal({1, kColumns}, at::kFloat), ds = dp.clone();
  causal_softmax_rows({.from = 0, .to = 1, .width = kColumns}, block, p.mutable_data_ptr<float>());
  causal_softmax_backward_rows({.from = 0, .to = 1, .width = kColumns}, block, p.const_data_ptr<float>(),
                               ds.mutable_data_ptr<float>());
  const auto seen = [](const Tensor& x) { return x[0].narrow(0, 0, kSeen).to(at::kDouble); };
  const Tensor expected = seen(scores).softmax(0);
  EXPECT_TRUE(at::allclose(seen(p), expected, 1e-6, 1e-12));
  const Tensor back = expected * (seen(dp) - (seen(dp) * expected).sum());
  EXPECT_TRUE(at::allclose(seen(ds), back, 1e-5, 1e-9));
  EXPECT_EQ(p[0].narrow(0, kSeen, kColumns - kSeen).abs().sum().item<double>(), 0);
  EXPECT_EQ(ds[0].narrow(0, kSeen, kColumns - kSeen).abs().sum().item<double>(), 0);
}

TEST(RowLoops, AGateFarBelowZeroLetsNextToNothingPass) {
  std::vector<float> gate{-80, -88, -100, -1e6F}, up(4, 1), y(4), dy(4, 1), dup(4);
  swiglu_forward_rows({.from = 0, .to = 1, .width = 4}, gate.data(), up.data(), y.data());
  swiglu_backward_rows({.from = 0, .to = 1, .width = 4}, gate.data(), up.data(), dy.data(), dup.data());
  EXPECT_NEAR(y[0] / (-80 * std::exp(-80.0)), 1, 1e-5);
  EXPECT_NEAR(y[1] / (-88 * std::exp(-88.0)), 1, 1e-5);
  EXPECT_NEAR(y[2] / (-100 * std::exp(-88.0)), 1, 1e-5);  // e^88 is the largest of the loop's
  EXPECT_NEAR(y[3] / (-1e6 * std::exp(-88.0)), 1, 1e-5);
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(dup[i] / y[i], 1, 1e-5) << i;
    EXPECT_LE(std::abs(dy[i]), 1e-32) << i;
  }
}

TEST(RowLoops, AShareOfNearlyNothingIsNothing) {
  std::vector<float> scores{0, -75, -77, -90, -1000, -std::numeric_limits<float>::infinity()};
  causal_softmax_rows({.from = 0, .to = 1, .width = 6}, {.rows = 1, .group = 1, .seen = 6}, scores.data());
  EXPECT_EQ(scores[0], 1);
  EXPECT_TRUE(std::isnormal(scores[1])) << scores[1];
  for (size_t i = 2; i < scores.size(); ++i) EXPECT_EQ(scores[i], 0) << i;
}

TEST(RowLoops, TheLossOfRowsThatLieApartLeavesWhatLiesBetween) {
  constexpr int64_t kRows = 3, kWords = 37, kStride = kWords + 16;
  const Tensor logits = normal({kRows, kStride}, at::kFloat), before = logits.clone();
  const std::vector<int64_t> targets{36, 0, 11};
  std::vector<float> log_p(kRows);
  loss_rows({.from = 0, .to = kRows, .width = kWords}, kStride, targets.data(), 0.25,
            logits.mutable_data_ptr<float>(), log_p.data());
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t target = targets[static_cast<size_t>(row)];
    const Tensor p = before[row].narrow(0, 0, kWords).to(at::kDouble).softmax(0);
    EXPECT_NEAR(log_p[static_cast<size_t>(row)], std::log(p[target].item<double>()), 1e-5) << row;
    Tensor gradient = p * 0.25;
    gradient[target] -= 0.25;
    EXPECT_TRUE(at::allclose(logits[row].narrow(0, 0, kWords).to(at::kDouble), gradient, 1e-5, 1e-8)) << row;
    EXPECT_TRUE(at::equal(logits[row].narrow(0, kWords, 16), before[row].narrow(0, kWords, 16))) << row;
  }
}

TEST(RowLoops, WhatIsNotFiniteStaysSo) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {nan, inf, -inf}) {
    std::vector<float> gate(20, 1), up(20, 1), y(20);
    gate[17] = bad;
    swiglu_forward_rows({.from = 0, .to = 1, .width = 20}, gate.data(), up.data(), y.data());
    EXPECT_FALSE(std::isfinite(y[17])) << bad;
    EXPECT_TRUE(std::isfinite(y[16])) << bad;
  }
  for (const float bad : {nan, inf}) {
    std::vector<float> scores(20, 1), logits(20, 1), log_p(1);
    scores[3] = logits[3] = bad;
    causal_softmax_rows({.from = 0, .to = 1, .width = 20}, {.rows = 1, .group = 1, .seen = 20}, scores.data());
    EXPECT_TRUE(std::isnan(scores[3])) << bad;
    const int64_t target = 5;
    loss_rows({.from = 0, .to = 1, .width = 20}, 20, &target, 1, logits.data(), log_p.data());
    EXPECT_FALSE(std::isfinite(log_p[0])) << bad;
  }
}

}  // namespace
}  // namespace ranktide
