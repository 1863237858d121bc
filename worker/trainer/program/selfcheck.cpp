#include "worker/trainer/program/selfcheck.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_sdp_choice.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <chrono>
#include <fstream>
#include <iomanip>
#include <set>
#include <sstream>
#include <torch/version.h>

#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

// A LibTorch of another version may load and then compute with other kernels, or crash in the first call.
Finding check_version() {
  const std::string config = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const size_t at = config.find(key);
  const std::string loaded = at == std::string::npos
                                 ? "unknown"
                                 : config.substr(at + key.size(), config.find(',', at) - at - key.size());
  if (loaded == std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR) + "." +
                    std::to_string(TORCH_VERSION_PATCH))
    return {Verdict::ok, "LibTorch", loaded};
  return {Verdict::failed, "LibTorch",
          "compiled against " TORCH_VERSION ", loaded " + loaded + "; rebuild, or correct the library path"};
}

Finding check_device(const Engine& engine) {
  return {Verdict::ok, "device", "cpu, " + std::to_string(engine.threads) + " thread(s), " + engine.isa};
}

// Two OpenMP runtimes in one process are two thread pools that fight for the cores.
Finding check_openmp() {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> runtimes;
  for (std::string line; std::getline(maps, line);) {
    const size_t path = line.find('/');
    if (path == std::string::npos) continue;
    const std::string file = line.substr(path);
    const std::string name = file.substr(file.rfind('/') + 1);
    if (name.starts_with("libgomp") || name.starts_with("libomp") || name.starts_with("libiomp"))
      runtimes.insert(file);
  }
  std::string list;
  for (const std::string& file : runtimes) list += (list.empty() ? "" : ", ") + file;
  if (runtimes.size() == 1) return {Verdict::ok, "OpenMP", list};
  return {Verdict::failed, "OpenMP",
          runtimes.empty() ? "no runtime is loaded; LibTorch would compute on one thread"
                           : "more than one runtime is loaded: " + list};
}

Finding check_attention() {
  const at::Tensor q = at::randn({1, 4, 64, 32}), kv = at::randn({1, 2, 64, 32});
  constexpr int64_t kFlash = 1;
  const int64_t choice = at::_fused_sdp_choice(q, kv, kv, {}, 0.0, /*is_causal=*/true, {}, /*enable_gqa=*/true);
  if (choice == kFlash) return {Verdict::ok, "attention", "fused kernel"};
  return {Verdict::warning, "attention",
          "no fused kernel (choice " + std::to_string(choice) + "): T x T in memory"};
}

// Returns: GFLOP/s of a product of the shape that a 135M model's feed-forward layer has.
double gemm_speed(at::ScalarType dtype) {
  constexpr int64_t kRows = 512, kIn = 576, kOut = 1536;
  constexpr int kRounds = 8;
  const at::Tensor a = at::randn({kRows, kIn}).to(dtype), b = at::randn({kIn, kOut}).to(dtype);
  at::mm(a, b);  // the first call builds the kernel
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) at::mm(a, b);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return 2e-9 * kRows * kIn * kOut * kRounds / took.count();
}

Finding check_speed() {
  const double fp32 = gemm_speed(at::kFloat), bf16 = gemm_speed(at::kBFloat16);
  std::ostringstream text;
  text << std::fixed << std::setprecision(0) << "fp32 " << fp32 << ", bf16 " << bf16 << " GFLOP/s";
  if (bf16 >= fp32) return {Verdict::ok, "products", text.str()};
  return {Verdict::warning, "products", text.str() + "; model.dtype: fp32 is faster here"};
}

Finding check_gradients() {
  const auto leaf = [](at::IntArrayRef sizes) { return at::randn(sizes).set_requires_grad(true); };
  const at::Tensor x = at::randn({1, 2, 8, 16}), w = leaf({16, 16});
  const at::Tensor q = at::linear(x, w);
  const at::Tensor loss =
      at::scaled_dot_product_attention(q, x, x, {}, 0.0, /*is_causal=*/true).square().mean();
  loss.backward();
  if (loss.isfinite().item<bool>() && w.grad().isfinite().all().item<bool>())
    return {Verdict::ok, "gradients", "a small forward and backward pass is finite"};
  return {Verdict::failed, "gradients",
          "a small forward and backward pass is not finite; this build cannot train"};
}

}  // namespace

std::vector<Finding> selfcheck(int threads) {
  const Engine engine = start_engine(threads);
  return {check_version(),   check_device(engine), check_openmp(),
          check_attention(), check_speed(),        check_gradients()};
}

}  // namespace ranktide
