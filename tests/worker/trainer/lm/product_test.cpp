// Products are what fp32 makes of the rounded factors, rounded once, whatever the processor has instructions
// for.

#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

using at::Tensor;

Tensor factor(int64_t rows, int64_t columns, at::ScalarType dtype) {
  return at::randn({rows, columns}).to(dtype);
}

// One rounding to bf16 is at most 2^-8 of the value; another order of the sum may round the other way.
void expect_rounded(const Tensor& got, const Tensor& exact) {
  ASSERT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::allclose(got.to(at::kFloat), exact, /*rtol=*/1.0 / 128, /*atol=*/1e-2));
}

TEST(Product, OfBf16IsTheFp32ProductRoundedOnce) {
  const Tensor a = factor(33, 70, at::kBFloat16), b = factor(70, 41, at::kBFloat16);
  const Tensor exact = a.to(at::kFloat).mm(b.to(at::kFloat));
  expect_rounded(product(a, b), exact);
  Tensor out = factor(33, 41, at::kBFloat16);
  product_into(out, a, b);
  expect_rounded(out, exact);
  Tensor sum = factor(33, 41, at::kBFloat16);
  const Tensor before = sum.to(at::kFloat);
  add_product(sum, a, b, 0.5);
  expect_rounded(sum, before + 0.5 * exact);
  const Tensor w = factor(41, 70, at::kBFloat16), bias = factor(1, 41, at::kBFloat16).view({41});
  expect_rounded(affine(a, w, bias), at::linear(a.to(at::kFloat), w.to(at::kFloat), bias.to(at::kFloat)));
  expect_rounded(affine(a, w, {}), at::linear(a.to(at::kFloat), w.to(at::kFloat)));
}

TEST(Product, OfFp32IsLibTorchsBitForBit) {
  const Tensor a = factor(33, 70, at::kFloat), b = factor(70, 41, at::kFloat);
  EXPECT_FALSE(is_widened(a));
  EXPECT_TRUE(at::equal(product(a, b), a.mm(b)));
  Tensor sum = factor(33, 41, at::kFloat), expected = sum.clone();
  add_product(sum, a, b, 0.5);
  EXPECT_TRUE(at::equal(sum, expected.addmm_(a, b, 1, 0.5)));
}

}  // namespace
}  // namespace ranktide
