// Products of bf16 are what fp32 makes of the rounded factors, rounded once, whatever the processor has
// instructions for; those of fp32 are exact to rounding, whoever multiplies.

#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/panel_product.h"

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

Tensor fp32(at::IntArrayRef sizes) {
  return random(sizes, at::kFloat);
}

// Of sizes that are cut for threads by columns, by rows, by both or not at all; of fewer tiles than threads; in
// several blocks; batches.
std::vector<Factors> factors_by_panels() {
  return {{fp32({33, 70}), fp32({70, 41}), fp32({33, 41})},
          {fp32({300, 200}), fp32({600, 200}).t(), fp32({300, 600})},
          {fp32({300, 700}).t(), fp32({300, 64}), fp32({700, 64})},
          {fp32({300, 48}).t(), fp32({300, 130}), fp32({48, 130})},
          {fp32({900, 300}), fp32({16, 300}).t(), fp32({900, 16})},
          {fp32({900, 300}).narrow(1, 7, 90), fp32({90, 128}), fp32({900, 300}).narrow(1, 16, 128)},
          {fp32({12, 600}), fp32({600, 700}), fp32({12, 700})},
          {fp32({200, 900}), fp32({900, 150}), fp32({200, 150})},
          {fp32({3, 192, 64}), fp32({3, 150, 64}).transpose(1, 2), fp32({3, 192, 150})},
          {fp32({3, 192, 150}).transpose(1, 2), fp32({3, 192, 64}), fp32({3, 150, 64})},
          {fp32({64, 48, 1}), fp32({64, 1, 48}), fp32({64, 48, 48})},
          {fp32({4, 90, 40}), fp32({40, 50}).expand({4, 40, 50}), fp32({4, 90, 50})},
          {fp32({6, 3}), fp32({3, 8}), fp32({6, 8})}};
}

// Too narrow for panels, a first factor or a result that lies the other way.
std::vector<Factors> factors_by_libtorch() {
  return {{fp32({300, 65}).t(), fp32({300, 65}), fp32({65, 65})},
          {fp32({40, 30}), fp32({30, 7}), fp32({40, 7})},
          {fp32({5, 300}), fp32({300, 50}), fp32({5, 50})},
          {fp32({40, 30}), fp32({30, 60}), fp32({60, 40}).t()}};
}

std::vector<Factors> factors_of_fp32() {
  std::vector<Factors> all = factors_by_panels(), others = factors_by_libtorch();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

class ByPanels : public testing::Test {
 protected:
  void SetUp() override {
    was_ = multiply_by_panels(true);
    if (!multiply_by_panels(true))
      GTEST_SKIP() << "LibTorch multiplies here: a processor with AVX512 or without AVX2 and FMA, or no OpenMP";
  }
  void TearDown() override {
    multiply_by_panels(was_);
    start_engine(1);
  }

 private:
  bool was_ = true;
};

int64_t& heard_panel_products() {
  static int64_t heard = 0;
  return heard;
}

std::unique_ptr<at::ObserverContext> hear(const at::RecordFunction& call) {
  if (std::string_view(call.name()) == "ranktide::product") ++heard_panel_products();
  return nullptr;
}

int64_t count_panel_products(const std::vector<Factors>& factors) {
  heard_panel_products() = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(hear));
  for (const auto& [a, b, before] : factors) products_of_fp32(a, b, before);
  at::removeCallback(handle);
  return heard_panel_products();
}

TEST(Product, OfFp32IsTheExactOneToRounding) {
  for (const bool by_panels : {true, false}) {
    const bool was = multiply_by_panels(by_panels);
    for (const auto& [a, b, before] : factors_of_fp32()) {
      const Tensor exact = a.to(at::kDouble).matmul(b.to(at::kDouble));
      const Tensor most = 4e-7 * (before.abs() + a.abs().to(at::kDouble).matmul(b.abs().to(at::kDouble)));
      const std::vector<Tensor> got = products_of_fp32(a, b, before);
      const std::vector<Tensor> wanted{exact, -0.5 * exact, before + 0.5 * exact};
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(((got[i] - wanted[i]).abs() <= most).all().item<bool>())
            << a.sizes() << b.sizes() << i << by_panels;
    }
    multiply_by_panels(was);
  }
}

TEST(Product, OfFp32ByLibTorchIsItsAddmm) {
  const bool was = multiply_by_panels(false);
  Arena scratch;
  const Tensor a = random({33, 70}, at::kFloat), b = random({70, 41}, at::kFloat);
  EXPECT_EQ(factor_dtype(a), at::kFloat);
  EXPECT_TRUE(factor(a, scratch).is_same(a));
  Tensor sum = random({33, 41}, at::kFloat), expected = sum.clone();
  add_product(sum, a, b, scratch, 0.5);
  EXPECT_TRUE(at::equal(sum, expected.addmm_(a, b, 1, 0.5)));
  product_into(sum, a, b, scratch);
  EXPECT_TRUE(at::equal(sum, a.mm(b)));
  multiply_by_panels(was);
}

TEST_F(ByPanels, AreThoseOfSixRowsAndEightColumnsOrMoreThatLieByRowsOrAreShort) {
  EXPECT_EQ(count_panel_products(factors_by_panels()), 3 * std::ssize(factors_by_panels()));
  EXPECT_EQ(count_panel_products(factors_by_libtorch()), 0);
  multiply_by_panels(false);
  EXPECT_EQ(count_panel_products(factors_by_panels()), 0);
}

TEST_F(ByPanels, NoBitDependsOnThreads) {
  for (const auto& [a, b, before] : factors_by_panels()) {
    start_engine(1);
    const std::vector<Tensor> alone = products_of_fp32(a, b, before);
    for (const int threads : {2, 3, 7, 8}) {
      start_engine(threads);
      const std::vector<Tensor> together = products_of_fp32(a, b, before);
      for (size_t i = 0; i < alone.size(); ++i)
        EXPECT_TRUE(at::equal(together[i], alone[i])) << a.sizes() << b.sizes() << threads;
    }
  }
}

TEST_F(ByPanels, NoBitDependsOnHowManyRowsThereAre) {
  const Tensor a = fp32({301, 200}), b = fp32({90, 200}).t(), before = fp32({301, 90});
  const std::vector<Tensor> all = products_of_fp32(a, b, before),
                            some = products_of_fp32(a.narrow(0, 10, 8), b, before.narrow(0, 10, 8));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(at::equal(some[i], all[i].narrow(0, 10, 8)));
}

TEST_F(ByPanels, ABatchIsItsProducts) {
  start_engine(2);
  const Tensor a = fp32({5, 70, 200}), b = fp32({5, 90, 200}).transpose(1, 2), before = fp32({5, 70, 90});
  const std::vector<Tensor> batch = products_of_fp32(a, b, before);
  for (int64_t i = 0; i < 5; ++i) {
    const std::vector<Tensor> single = products_of_fp32(a[i], b[i], before[i]);
    for (size_t j = 0; j < single.size(); ++j) EXPECT_TRUE(at::equal(batch[j][i], single[j]));
  }
}

}  // namespace
}  // namespace ranktide
