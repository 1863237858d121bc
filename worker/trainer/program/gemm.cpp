#include "worker/trainer/program/gemm.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>

#include "common/model/processor.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

using Clock = std::chrono::steady_clock;

// The largest product takes 17 GFLOP; sizes beyond run at its rate, sizes between are interpolated.
constexpr std::array<int64_t, 5> kSizes{8, 32, 128, 512, 2048};
constexpr int kRounds = 3;  // over the whole grid, so that a busy moment hits a size once
constexpr double kTimingSeconds = 1e-3;
constexpr int64_t kPoolValues = int64_t{1} << 24;  // 64 MB in fp32: more than most caches keep of it
// Of each of the three tensors of a pass over memory. What a layer keeps is about as large: a cache that holds
// it all would flatter.
constexpr int64_t kPassValues = int64_t{1} << 22;
constexpr int kPassRounds = 21;

double seconds_of(at::Device device, const std::function<void()>& work, int repeats) {
  wait_for(device);
  const auto start = Clock::now();
  for (int i = 0; i < repeats; ++i) work();
  wait_for(device);
  return std::chrono::duration<double>(Clock::now() - start).count() / repeats;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Size {
  int64_t m = 0, n = 0, k = 0;
};

std::vector<Size> grid() {
  std::vector<Size> out;
  for (const int64_t m : kSizes)
    for (const int64_t n : kSizes)
      for (const int64_t k : kSizes) out.push_back({m, n, k});
  return out;
}

// Products of one dtype. Weights are cut from a pool one after the other, as a pass walks through a model.
class Products {
 public:
  Products(at::ScalarType dtype, at::Device device)
      : pool_(at::randn({kPoolValues}, at::kFloat).to(device, dtype)), scratch_(device) {}

  double seconds(const Size& size) {
    const at::Device device = pool_.device();
    const at::Tensor x = at::ones({size.m, size.k}, pool_.options()),
                     y = at::empty({size.m, size.n}, pool_.options());
    const auto multiply = [&] { product_into(y, x, next_weight(size).t(), scratch_); };
    const double once = seconds_of(device, multiply, 1);  // the first call may build a kernel
    const double repeats = kTimingSeconds / std::max(once, 1e-7);
    return seconds_of(device, multiply, static_cast<int>(std::clamp(repeats, 1.0, 1000.0)));
  }

 private:
  at::Tensor next_weight(const Size& size) {
    const int64_t values = size.n * size.k;
    if (at_ + values > kPoolValues) at_ = 0;
    const at::Tensor weight = pool_.narrow(0, at_, values).view({size.n, size.k});
    at_ += values;
    return weight;
  }

  at::Tensor pool_;
  int64_t at_ = 0;
  Arena scratch_;
};

std::vector<MeasuredProduct> measured_in(Dtype dtype, at::Device device) {
  Products products(scalar_type_of(dtype), device);
  const std::vector<Size> sizes = grid();
  std::vector<std::vector<double>> seconds(sizes.size());
  for (int round = 0; round < kRounds; ++round)
    for (size_t i = 0; i < sizes.size(); ++i) seconds[i].push_back(products.seconds(sizes[i]));
  std::vector<MeasuredProduct> out;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto& [m, n, k] = sizes[i];
    const double flops = 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    out.push_back({.dtype = dtype, .m = m, .n = n, .k = k, .flops_per_second = flops / median_of(seconds[i])});
  }
  return out;
}

// Of a product of two tensors element by element, the plainest of the engine's passes.
double bytes_per_second(at::Device device) {
  const auto fp32 = at::TensorOptions(device).dtype(at::kFloat);
  const at::Tensor a = at::ones({kPassValues}, fp32), b = at::ones({kPassValues}, fp32);
  at::Tensor y = at::empty({kPassValues}, fp32);
  std::vector<double> seconds;
  for (int round = 0; round < kPassRounds; ++round)
    seconds.push_back(seconds_of(
        device, [&] { at::mul_out(y, a, b); }, 1));
  return 3.0 * 4 * kPassValues / median_of(seconds);
}

}  // namespace

ProductTable measure_products(int threads, const at::Device& device) {
  start_engine(threads);
  const Engine engine = current_engine(device);
  const Processor processor = this_processor();
  ProductTable table{.device = device.is_cpu() ? processor.name : engine.isa,
                     .instructions = device.is_cpu() ? processor.instructions : "",
                     .isa = engine.isa,
                     .threads = engine.threads,
                     .libtorch = engine.libtorch,
                     .numerics_version = engine.numerics_version,
                     .widens_bf16 = factor_dtype(at::empty(
                                        {1}, at::TensorOptions(device).dtype(at::kBFloat16))) != at::kBFloat16,
                     .bytes_per_second = bytes_per_second(device),
                     .rows = measured_in(Dtype::fp32, device)};
  if (table.widens_bf16) return table;
  const std::vector<MeasuredProduct> bf16 = measured_in(Dtype::bf16, device);
  table.rows.insert(table.rows.end(), bf16.begin(), bf16.end());
  return table;
}

}  // namespace ranktide
