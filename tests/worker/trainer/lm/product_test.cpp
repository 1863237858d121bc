// Products of bf16 are what fp32 makes of the rounded factors, rounded once, whatever the processor has
// instructions for; those of fp32 are exact to rounding, whoever multiplies.

#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <vector>

#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/packed_product.h"

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

// All that a product of fp32 may be asked for, one of each.
std::vector<Tensor> products_of_fp32(const Tensor& a, const Tensor& b, const Tensor& before) {
  Arena scratch;
  const auto like_it = [&] { return at::empty_strided(before.sizes(), before.strides()); };
  const Tensor whole = like_it(), scaled = like_it(), sum = like_it().copy_(before);
  product_into(whole, a, b, scratch);
  product_into(scaled, a, b, scratch, -0.5);
  add_product(sum, a, b, scratch, 0.5);
  return {whole, scaled, sum};
}

struct Factors {
  Tensor a, b, before;
};

// Of sizes that are cut for threads by columns, by rows, by both or not at all; batches; what LibTorch
// multiplies because it is too narrow or lies the other way.
std::vector<Factors> factors_of_fp32() {
  const auto fp32 = [](at::IntArrayRef sizes) { return random(sizes, at::kFloat); };
  return {{fp32({33, 70}), fp32({70, 41}), fp32({33, 41})},
          {fp32({300, 200}), fp32({600, 200}).t(), fp32({300, 600})},
          {fp32({300, 700}).t(), fp32({300, 130}), fp32({700, 130})},
          {fp32({900, 300}), fp32({16, 300}).t(), fp32({900, 16})},
          {fp32({900, 300}).narrow(1, 7, 90), fp32({90, 128}), fp32({900, 300}).narrow(1, 16, 128)},
          {fp32({3, 192, 64}), fp32({3, 150, 64}).transpose(1, 2), fp32({3, 192, 150})},
          {fp32({3, 192, 150}).transpose(1, 2), fp32({3, 192, 64}), fp32({3, 150, 64})},
          {fp32({64, 48, 1}), fp32({64, 1, 48}), fp32({64, 48, 48})},
          {fp32({40, 30}), fp32({30, 4}), fp32({40, 4})},
          {fp32({2, 300}), fp32({300, 50}), fp32({2, 50})},
          {fp32({40, 30}), fp32({30, 60}), fp32({60, 40}).t()}};
}

TEST(Product, OfFp32IsTheExactOneToRounding) {
  for (const bool packed : {true, false}) {
    const bool was = multiply_packed(packed);
    for (const auto& [a, b, before] : factors_of_fp32()) {
      const Tensor exact = a.to(at::kDouble).matmul(b.to(at::kDouble));
      const Tensor most = 4e-7 * (before.abs() + a.abs().to(at::kDouble).matmul(b.abs().to(at::kDouble)));
      const std::vector<Tensor> got = products_of_fp32(a, b, before);
      const std::vector<Tensor> wanted{exact, -0.5 * exact, before + 0.5 * exact};
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(((got[i] - wanted[i]).abs() <= most).all().item<bool>())
            << a.sizes() << b.sizes() << i << packed;
    }
    multiply_packed(was);
  }
}

TEST(Product, OfFp32ByLibTorchIsItsAddmm) {
  const bool was = multiply_packed(false);
  Arena scratch;
  const Tensor a = random({33, 70}, at::kFloat), b = random({70, 41}, at::kFloat);
  EXPECT_EQ(factor_dtype(a), at::kFloat);
  EXPECT_TRUE(factor(a, scratch).is_same(a));
  Tensor sum = random({33, 41}, at::kFloat), expected = sum.clone();
  add_product(sum, a, b, scratch, 0.5);
  EXPECT_TRUE(at::equal(sum, expected.addmm_(a, b, 1, 0.5)));
  product_into(sum, a, b, scratch);
  EXPECT_TRUE(at::equal(sum, a.mm(b)));
  multiply_packed(was);
}

TEST(Product, NoBitOfAPackedOneDependsOnThreads) {
  if (!has_packed_products()) GTEST_SKIP() << "this processor has other products: no AVX2 and FMA, or AVX512";
  for (const auto& [a, b, before] : factors_of_fp32()) {
    if (a.size(-2) < kTileRows || 2 * b.size(-1) < kPanelColumns || before.stride(-1) != 1)
      continue;  // LibTorch's
    start_engine(1);
    const std::vector<Tensor> alone = products_of_fp32(a, b, before);
    for (const int threads : {2, 3, 8}) {
      start_engine(threads);
      const std::vector<Tensor> together = products_of_fp32(a, b, before);
      for (size_t i = 0; i < alone.size(); ++i)
        EXPECT_TRUE(at::equal(together[i], alone[i])) << a.sizes() << threads;
    }
  }
  start_engine(1);
}

}  // namespace
}  // namespace ranktide
