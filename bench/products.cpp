// Products of fp32 as the engine computes them beside LibTorch's, in the shapes of a training step of
// SmolLM2-135M, in turns: what worker/trainer/lm/panel_product.h brings on this machine.
//
//     ninja -C build/dev products
//     build/dev/bench/products [THREADS [ROUNDS]]
//
// A round multiplies by as many weights, one after the other, as lie in 30 layers, for a step meets each only
// once; both sides of it take turns. Prints the median rate of both, and the median of the ratios of single
// rounds with its quartiles: above 1, the engine's takes less time. Ends with 1 where the
// engine has none of its own.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"

namespace ranktide::bench {
namespace {

using at::Tensor;
using Clock = std::chrono::steady_clock;

constexpr int64_t kTokens = 1024, kHeadRows = 256, kLayers = 30;

struct Shape {
  const char* what = "";
  int64_t m = 0, k = 0, n = 0;
  bool is_a_turned = false, is_b_turned = false;  // lie in memory by columns
  int64_t weights = kLayers;
};

const std::vector<Shape> kShapes{
    {"q, o forward", kTokens, 576, 576, false, true},
    {"k, v forward", kTokens, 576, 192, false, true},
    {"gate, up forward", kTokens, 576, 1536, false, true},
    {"down forward", kTokens, 1536, 576, false, true},
    {"q, o backward", kTokens, 576, 576},
    {"k, v backward", kTokens, 192, 576},
    {"gate, up backward", kTokens, 1536, 576},
    {"down backward", kTokens, 576, 1536},
    {"up's gradient", 1536, kTokens, 576, true, false},
    {"x A'", kTokens, 576, 16, false, true},
    {"x A' B'", kTokens, 16, 576, false, true},
    {"B's gradient", 576, kTokens, 16, true, false},
    {"logits", kHeadRows, 576, 49152, false, true, 1},
    {"their gradient", kHeadRows, 49152, 576, false, false, 1},
};

Tensor random(int64_t rows, int64_t columns, bool is_turned) {
  return is_turned ? at::randn({columns, rows}).t() : at::randn({rows, columns});
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

struct Rates {
  std::vector<double> engine, libtorch, ratio;
};

Rates rates_of(const Shape& shape, int rounds) {
  Arena scratch;
  const Tensor a = random(shape.m, shape.k, shape.is_a_turned), out = at::empty({shape.m, shape.n});
  std::vector<Tensor> weights;
  for (int64_t i = 0; i < shape.weights; ++i) weights.push_back(random(shape.k, shape.n, shape.is_b_turned));
  const double gflop = 2e-9 * static_cast<double>(shape.weights * shape.m * shape.k * shape.n);
  const auto rate = [&](bool by_panels) {
    multiply_by_panels(by_panels);
    const auto start = Clock::now();
    for (const Tensor& weight : weights) product_into(out, a, weight, scratch);
    return gflop / std::chrono::duration<double>(Clock::now() - start).count();
  };
  Rates rates;
  rate(true), rate(false);  // page faults
  for (int round = 0; round < rounds; ++round) {
    rates.engine.push_back(rate(true));
    rates.libtorch.push_back(rate(false));
    rates.ratio.push_back(rates.engine.back() / rates.libtorch.back());
  }
  return rates;
}

int run(int threads, int rounds) {
  start_engine(threads);
  multiply_by_panels(true);
  if (!multiply_by_panels(true)) {
    std::puts(
        "LibTorch multiplies here: a processor with AVX512 or without AVX2 and FMA, or a build without OpenMP");
    return 1;
  }
  std::printf("%d threads, %d rounds; GFLOP/s\n%-18s %6s %6s %6s %8s %9s %6s\n", threads, rounds, "", "m", "k",
              "n", "engine", "LibTorch", "ratio");
  for (const Shape& shape : kShapes) {
    const Rates rates = rates_of(shape, rounds);
    std::printf("%-18s %6ld %6ld %6ld %8.1f %9.1f %6.2f (%.2f to %.2f)\n", shape.what, shape.m, shape.k,
                shape.n, quantile(rates.engine, 0.5), quantile(rates.libtorch, 0.5), quantile(rates.ratio, 0.5),
                quantile(rates.ratio, 0.25), quantile(rates.ratio, 0.75));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace ranktide::bench

int main(int count, char** words) {
  const int threads = count > 1 ? std::stoi(words[1]) : 2, rounds = count > 2 ? std::stoi(words[2]) : 15;
  return ranktide::bench::run(threads, rounds);
}
