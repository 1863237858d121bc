#include "worker/trainer/lm/engine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/env.h>
#include <malloc.h>
#include <torch/version.h>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/device.h"

namespace ranktide {
namespace {

// Tensors of a step are allocated and freed thousands of times; below this size their pages stay with the
// process instead of going back to the kernel and being faulted in again. 32 MiB is glibc's ceiling.
constexpr int kKeepBytes = 32 << 20;

// CUDA's products have fewer bits, or others from run to run, unless they are asked not to. Attention is the
// engine's own products and softmax, so there is no fused kernel to ask.
void ask_for_exact_products() {
  c10::utils::set_env("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/false);  // read by the first product
  at::globalContext().setFloat32MatmulPrecision("highest");                        // no TF32
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
}

}  // namespace

Engine start_engine(int threads) {
  RT_CHECK(threads >= 1);
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, 16 * kKeepBytes);
  at::set_num_threads(threads);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  ask_for_exact_products();
  return current_engine();
}

Engine current_engine() {
  return current_engine(at::kCPU);
}

Engine current_engine(const c10::Device& device) {
  const int threads = device.is_cpu() ? at::get_num_threads() : 1;  // no bit of a device depends on the CPU's
  return {.threads = threads,
          .isa = kernels_of(device),
          .processor = processor_of(device),
          .libtorch = TORCH_VERSION};
}

}  // namespace ranktide
