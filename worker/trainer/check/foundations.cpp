#include "worker/trainer/check/foundations.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <set>
#include <sstream>
#include <torch/version.h>

#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/device_rounding.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/stochastic_rounding.h"
#include "worker/trainer/lm/transformer.h"
#include "worker/trainer/lm/weights.h"

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

Finding check_device(const Engine& engine, at::Device device) {
  const std::string name = c10::DeviceTypeName(device.type(), /*lower_case=*/true);
  const std::string threads = device.is_cpu() ? std::to_string(engine.threads) + " thread(s), " : "";
  return {Verdict::ok, "device", name + ", " + threads + engine.isa};
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

// Returns: GFLOP/s of a product of the shape that a 135M model's feed-forward layer has, as the engine makes
// it.
double gemm_speed(at::ScalarType dtype, at::Device device) {
  constexpr int64_t kRows = 512, kIn = 576, kOut = 1536;
  constexpr int kRounds = 8;
  const at::Tensor a = at::randn({kRows, kIn}).to(device, dtype), b = at::randn({kIn, kOut}).to(device, dtype);
  const at::Tensor out = at::zeros({kRows, kOut}, a.options());
  Arena scratch(device);
  product_into(out, a, b, scratch);  // the first call builds the kernel
  wait_for(device);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) product_into(out, a, b, scratch);
  wait_for(device);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return 2e-9 * kRows * kIn * kOut * kRounds / took.count();
}

Finding check_speed(at::Device device) {
  const double fp32 = gemm_speed(at::kFloat, device), bf16 = gemm_speed(at::kBFloat16, device);
  std::ostringstream text;
  text << std::fixed << std::setprecision(0) << "fp32 " << fp32 << ", bf16 " << bf16 << " GFLOP/s";
  constexpr double kSlow = 0.5;  // milliseconds say no more; widening costs a little
  if (bf16 >= kSlow * fp32) return {Verdict::ok, "products", text.str()};
  return {Verdict::warning, "products", text.str() + "; model.dtype: fp32 is faster here"};
}

// A device draws large masks itself, by operations on integers that few others use: they must be the
// processor's.
Finding check_dropout(at::Device device) {
  constexpr int64_t kRows = 600, kColumns = 577;  // more than those that the processor draws for a device
  const DropoutKey key{.key = 0xfedcba9876543210, .rate = 0.3, .first_row = (int64_t{1} << 32) - kRows / 2};
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor expected = at::empty({kRows, kColumns}, dtype);
    const at::Tensor drawn = at::empty({kRows, kColumns}, expected.options().device(device));
    draw_dropout_mask(key, expected);
    draw_dropout_mask_by_operations(key, drawn);
    const auto wrong = drawn.cpu().ne(expected).sum().item<int64_t>();
    if (wrong > 0)
      return {Verdict::failed, "dropout",
              std::to_string(wrong) + " of " + std::to_string(expected.numel()) +
                  " values of a mask are others than the processor draws; train without dropout here"};
  }
  return {Verdict::ok, "dropout",
          "a mask of " + std::to_string(kRows * kColumns) + " values is the processor's bit by bit"};
}

// Kept weights are read and rounded by the processor, and those in training where they lie.
Finding check_rounding(at::Device device) {
  const at::Tensor words = at::empty({kRoundingDraws + 1000}, at::kInt);  // after these the draws begin again
  for (int64_t i = 0; i < words.numel(); ++i)                             // infinities and NaN among them
    words.mutable_data_ptr<int32_t>()[i] = static_cast<int32_t>(static_cast<uint32_t>(i) * 0x9e3779b1);
  const at::Tensor values = words.view(at::kFloat), expected = at::empty(values.sizes(), at::kBFloat16);
  round_weights(values, 0, expected);
  const at::Tensor rounded = at::empty(values.sizes(), expected.options().device(device));
  round_on_device(values.to(device), rounded);
  const auto wrong = rounded.cpu().view(at::kShort).ne(expected.view(at::kShort)).sum().item<int64_t>();
  const std::string all = std::to_string(values.numel());
  if (wrong == 0) return {Verdict::ok, "rounding", all + " values go to bf16 as by the processor, bit by bit"};
  return {Verdict::failed, "rounding",
          std::to_string(wrong) + " of " + all +
              " values go to another bf16 than by the processor; train whole models in fp32 here"};
}

// One layer of random weights that all train, with its head.
Network trained_layer(const ModelShape& shape, at::Device device) {
  Network network;
  for (const ParameterSlot& slot : weight_slots(network, shape)) {
    slot.weight->value = at::randn(slot.sizes).mul_(slot.stays_fp32 ? 1 : 0.2).to(device);
    slot.weight->grad = at::zeros_like(slot.weight->value);
  }
  return network;
}

// A small step down the gradient g lowers the loss by step |g|^2: the whole engine, there and back.
Finding check_gradients(at::Device device) {
  const ModelShape shape{.family = "llama",
                         .vocabulary = 32,
                         .hidden = 16,
                         .ffn = 24,
                         .layers = 1,
                         .heads = 4,
                         .kv_heads = 2,
                         .head_dim = 4};
  Network network = trained_layer(shape, device);
  const std::vector<int32_t> tokens{3, 1, 4, 1, 5, 9, 2, 6}, ends{8}, rows{0, 2, 4, 6}, targets{1, 1, 9, 6};
  Workspace memory(device);
  const auto loss = [&] {
    return add_gradients(network, shape, {tokens, ends}, {rows, targets}, 1, {}, memory).item<double>();
  };
  const double before = loss();
  double squares = 0;
  for (const ParameterSlot& slot : weight_slots(network, shape))
    squares += slot.weight->grad.square().sum().item<double>();
  const double fall = 1e-3 * before;
  for (const ParameterSlot& slot : weight_slots(network, shape))
    slot.weight->value.sub_(slot.weight->grad, fall / squares);
  const double ratio = (before - loss()) / fall;
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << "a small step down lowers the loss by " << ratio
       << " of what its gradient says";
  if (std::abs(ratio - 1) < 0.1) return {Verdict::ok, "gradients", text.str()};
  return {Verdict::failed, "gradients", text.str() + "; this build cannot train"};
}

}  // namespace

std::vector<Finding> check_foundations(int threads, at::Device device) {
  start_engine(threads);
  return {check_version(),        check_device(current_engine(device), device),
          check_openmp(),         check_speed(device),
          check_dropout(device),  check_rounding(device),
          check_gradients(device)};
}

}  // namespace ranktide
