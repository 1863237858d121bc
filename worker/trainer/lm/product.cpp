#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/baddbmm.h>
#include <utility>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ranktide {
namespace {

using at::Tensor;

// From AVX512 on oneDNN has kernels for bf16 on x86, before it there are none; on ARM they take the
// instructions for it.
bool processor_multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f");
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
  return true;
#endif
}

bool& is_bf16_multiplied_as_it_is() {
  static bool is = processor_multiplies_bf16();
  return is;
}

// out = keep out + scale a b, all of one dtype
void multiply(Tensor out, const Tensor& a, const Tensor& b, double keep, double scale) {
  if (a.dim() == 3)
    at::baddbmm_out(out, out, a, b, keep, scale);
  else
    at::addmm_out(out, out, a, b, keep, scale);
}

}  // namespace

at::ScalarType factor_dtype(const Tensor& tensor) {
  const bool is_widened =
      tensor.scalar_type() == at::kBFloat16 && tensor.is_cpu() && !is_bf16_multiplied_as_it_is();
  return is_widened ? at::kFloat : tensor.scalar_type();
}

bool multiply_bf16_as_it_is(bool yes) {
  return std::exchange(is_bf16_multiplied_as_it_is(), yes);
}

// A transposed matrix is widened as it lies in memory.
Tensor factor(const Tensor& x, Arena& scratch) {
  const at::ScalarType dtype = factor_dtype(x);
  if (x.scalar_type() != dtype && x.dim() == 2 && x.stride(0) == 1) return scratch.converted(x.t(), dtype).t();
  return scratch.converted(x, dtype);
}

void product_into(const Tensor& out, const Tensor& a, const Tensor& b, Arena& scratch, double scale) {
  const Frame frame(scratch);
  const Tensor left = factor(a, scratch), right = factor(b, scratch);
  const bool fits = out.scalar_type() == left.scalar_type();
  const Tensor product = fits ? out : scratch.take(out.sizes(), left.scalar_type());
  multiply(product, left, right, 0, scale);
  if (!fits) out.copy_(product);
}

void add_product(const Tensor& sum, const Tensor& a, const Tensor& b, Arena& scratch, double scale) {
  const Frame frame(scratch);
  const Tensor left = factor(a, scratch), right = factor(b, scratch);
  if (sum.scalar_type() == left.scalar_type()) return multiply(sum, left, right, 1, scale);
  const Tensor product = scratch.take(sum.sizes(), left.scalar_type());
  multiply(product, left, right, 0, scale);
  sum.add_(product);
}

}  // namespace ranktide
