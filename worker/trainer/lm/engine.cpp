#include "worker/trainer/lm/engine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <malloc.h>
#include <torch/version.h>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Tensors of a step are allocated and freed thousands of times; below this size their pages stay with the
// process instead of going back to the kernel and being faulted in again. 32 MiB is glibc's ceiling.
constexpr int kKeepBytes = 32 << 20;

}  // namespace

Engine start_engine(int threads) {
  RT_CHECK(threads >= 1);
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, 16 * kKeepBytes);
  at::set_num_threads(threads);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return current_engine();
}

Engine current_engine() {
  return {.threads = at::get_num_threads(), .isa = at::get_cpu_capability(), .libtorch = TORCH_VERSION};
}

}  // namespace ranktide
