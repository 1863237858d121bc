// Products are what fp32 makes of the rounded factors, rounded once, whatever the processor has instructions
// for.

#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

using at::Tensor;

Tensor random(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::randn(sizes).to(dtype);
}

// One rounding to bf16 is at most 2^-8 of the value; another order of the sum may round the other way.
void expect_near(const Tensor& got, const Tensor& exact) {
  EXPECT_TRUE(at::allclose(got.to(at::kFloat), exact, /*rtol=*/1.0 / 128, /*atol=*/1e-2));
}

void expect_products_of_bf16(const Tensor& a, const Tensor& b) {
  Arena scratch;
  const Tensor exact = a.to(at::kFloat).matmul(b.to(at::kFloat));
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
    const Tensor out = random(exact.sizes(), dtype), before = out.to(at::kFloat, false, /*copy=*/true);
    add_product(out, a, b, scratch, 0.5);
    expect_near(out, before + 0.5 * exact);
    product_into(out, a, b, scratch);
    expect_near(out, exact);
    product_into(out, a, b, scratch, 2);
    expect_near(out, 2 * exact);
  }
}

TEST(Product, OfBf16IsTheFp32ProductRoundedOnce) {
  const bool before = multiply_bf16_as_it_is(true);
  for (const bool as_it_is : {true, false}) {
    multiply_bf16_as_it_is(as_it_is);
    expect_products_of_bf16(random({33, 70}, at::kBFloat16), random({70, 41}, at::kBFloat16));
    expect_products_of_bf16(random({70, 33}, at::kBFloat16).t(), random({41, 70}, at::kBFloat16).t());
    expect_products_of_bf16(random({3, 33, 70}, at::kBFloat16),
                            random({3, 41, 70}, at::kBFloat16).transpose(1, 2));
  }
  multiply_bf16_as_it_is(before);
}

TEST(Product, OfFp32IsLibTorchsBitForBit) {
  Arena scratch;
  const Tensor a = random({33, 70}, at::kFloat), b = random({70, 41}, at::kFloat);
  EXPECT_EQ(factor_dtype(a), at::kFloat);
  EXPECT_TRUE(factor(a, scratch).is_same(a));
  Tensor sum = random({33, 41}, at::kFloat), expected = sum.clone();
  add_product(sum, a, b, scratch, 0.5);
  EXPECT_TRUE(at::equal(sum, expected.addmm_(a, b, 1, 0.5)));
  product_into(sum, a, b, scratch);
  EXPECT_TRUE(at::equal(sum, a.mm(b)));
}

}  // namespace
}  // namespace ranktide
