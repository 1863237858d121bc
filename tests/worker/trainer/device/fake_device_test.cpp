// The fake device catches what it is there for; else a training that passes on it would say nothing.
#include "tests/worker/trainer/device/fake_device.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/trainer/lm/device.h"

namespace ranktide {
namespace {

using at::Tensor;
using testing::HasSubstr;

Tensor counted(int64_t n) {
  return at::arange(n, at::kFloat).to(fake::kDevice);
}

template <class Act>
std::string refusal_of(const Act& act) {
  try {
    act();
  } catch (const c10::Error& e) {
    return e.what_without_backtrace();
  }
  return "";
}

TEST(FakeDevice, ComputesWhatTheCpuDoes) {
  const int64_t before = fake::kernels_run();
  const Tensor x = counted(6).view({2, 3});
  const Tensor y = (x.mm(x.t()) + 1).select(0, 1);
  EXPECT_EQ(y.device(), fake::kDevice);
  EXPECT_GT(fake::kernels_run(), before);
  EXPECT_EQ(y.cpu()[0].item<float>(), 15);
  EXPECT_EQ(y[1].item<float>(), 51);
}

TEST(FakeDevice, WritesThroughViews) {
  const Tensor x = counted(6);
  x.narrow(0, 2, 3).mul_(10);
  EXPECT_EQ(x.sum().item<float>(), 0 + 1 + 20 + 30 + 40 + 5);
}

TEST(FakeDevice, RefusesTensorsOfTwoDevices) {
  const Tensor x = counted(3), host = at::arange(3, at::kFloat), rows = at::arange(2, at::kLong);
  const std::string kTwo = "expected all tensors to be on the same device";
  EXPECT_THAT(refusal_of([&] { x.add(host); }),
              testing::ContainsRegex("[Ee]xpected all tensors to be on the same"));
  EXPECT_THAT(refusal_of([&] { x.index_select(0, rows); }), HasSubstr(kTwo));
  EXPECT_THAT(refusal_of([&] { x.view({3, 1}).mm(host.view({1, 3})); }), HasSubstr(kTwo));
  EXPECT_EQ(refusal_of([&] { x.add(at::full({}, 2.0)); }), "") << "a number of the host may stand beside them";
}

// A GPU reads the step where its kernel runs, however few dimensions it has.
TEST(FakeDevice, RefusesANumberOfTheHostInAList) {
  const auto step = [](const Tensor& count) {
    std::vector<Tensor> p{counted(3)}, g{counted(3)}, m{counted(3)}, v{counted(3)}, steps{count};
    at::_fused_adamw_(p, g, m, v, {}, steps, 0.1, 0.9, 0.99, 0, 1e-8, false, false);
  };
  EXPECT_THAT(refusal_of([&] { step(at::full({}, 1.0)); }), HasSubstr("same device"));
  EXPECT_EQ(refusal_of([&] { step(at::full({}, 1.0).to(fake::kDevice)); }), "");
}

TEST(FakeDeviceDeathTest, EndsTheProcessThatReadsItsMemoryFromTheHost) {
  const Tensor x = counted(3);
  const auto* bytes = static_cast<const volatile float*>(x.const_data_ptr());
  EXPECT_DEATH((void)bytes[1], "");
  EXPECT_EQ(x[1].item<float>(), 1) << "its own kernels may";
  EXPECT_DEATH((void)bytes[1], "") << "and nobody after them";
}

TEST(FakeDevice, CountsTheMemoryThatItHandsOut) {
  reset_memory_peak(fake::kDevice);
  const int64_t before = memory_peak_bytes(fake::kDevice);
  { const Tensor held = at::zeros({1 << 20}, at::TensorOptions(fake::kDevice)); }
  EXPECT_EQ(memory_peak_bytes(fake::kDevice), before + (4 << 20));
  reset_memory_peak(fake::kDevice);
  EXPECT_EQ(memory_peak_bytes(fake::kDevice), before);
}

TEST(FakeDevice, RunsOutOfMemoryAsAGpuDoes) {
  const fake::SmallMemory small(1 << 20);
  EXPECT_THROW(at::zeros({1 << 20}, at::TensorOptions(fake::kDevice)), c10::OutOfMemoryError);
}

}  // namespace
}  // namespace ranktide
