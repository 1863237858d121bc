// Where a linear with an adapter is rounded: x W' = 256 + d and a delta of d, which is less than half of what
// lies between 256 and the next number of bf16; twice d is more.

#include "worker/trainer/lm/linear.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;

constexpr double kHead = 256, kDelta = 0.8984375;  // both numbers of bf16

Tensor bf16_matrix(std::vector<double> values, at::IntArrayRef sizes) {
  return at::tensor(values, at::kDouble).view(sizes).to(at::kBFloat16);
}

// One output of two inputs, of rank 1.
Linear adapted() {
  Linear linear;
  linear.w.value = bf16_matrix({kHead, kDelta}, {1, 2});
  linear.a.value = bf16_matrix({1, 0}, {1, 2});
  linear.b.value = bf16_matrix({kDelta}, {1, 1});
  linear.scale = 1;
  return linear;
}

class Rounding : public testing::Test {
 protected:
  void TearDown() override { multiply_bf16_as_it_is(before_); }

  // y of inputs of one, in the dtype that gate and up have, or q.
  double forward(at::ScalarType dtype, bool as_it_is) {
    multiply_bf16_as_it_is(as_it_is);
    const Linear linear = adapted();
    const Branch branch{linear, {}};
    const Tensor y = at::zeros({1, 1}, dtype);
    LinearSaved saved;
    linears_forward({&branch, 1}, at::ones({1, 2}), {&y, 1}, saved, memory_);
    return y.item<double>();
  }

  // As o and down add themselves to the residual stream.
  double add_forward(bool as_it_is) {
    multiply_bf16_as_it_is(as_it_is);
    const Linear linear = adapted();
    const Tensor h = at::zeros({1, 1}), sum = at::zeros({1, 1});
    LinearSaved saved;
    add_linear_forward({linear, {}}, at::ones({1, 2}), h, sum, saved, memory_);
    return sum.item<double>();
  }

 private:
  Workspace memory_;
  bool before_ = multiply_bf16_as_it_is(true);
};

TEST_F(Rounding, OfABf16SumIsTwiceAndLosesATinyDeltaWhereBf16IsMultipliedAsItIs) {
  EXPECT_EQ(forward(at::kBFloat16, /*as_it_is=*/true), kHead);
}

TEST_F(Rounding, OfABf16SumIsOnceWhereItIsWidened) {
  EXPECT_EQ(forward(at::kBFloat16, /*as_it_is=*/false), kHead + 2);
}

TEST_F(Rounding, OfAnFp32SumLosesOfTheProductAloneAndKeepsATinyDelta) {
  EXPECT_EQ(forward(at::kFloat, /*as_it_is=*/true), kHead + kDelta);
  EXPECT_EQ(add_forward(/*as_it_is=*/true), kHead + kDelta);
}

TEST_F(Rounding, OfAnFp32SumIsNoneWhereBf16IsWidened) {
  EXPECT_EQ(forward(at::kFloat, /*as_it_is=*/false), kHead + 2 * kDelta);
  EXPECT_EQ(add_forward(/*as_it_is=*/false), kHead + 2 * kDelta);
}

}  // namespace
}  // namespace ranktide
