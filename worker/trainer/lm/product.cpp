#include "worker/trainer/lm/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

namespace ranktide {
namespace {

using at::Tensor;

// From AVX512 on oneDNN has kernels for bf16, before it there are none.
bool processor_multiplies_bf16() {
#if defined(__x86_64__)
  static const bool does = __builtin_cpu_supports("avx512f");
  return does;
#else
  return true;
#endif
}

Tensor wide(const Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kFloat) : tensor;
}

}  // namespace

bool is_widened(const Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 && tensor.is_cpu() && !processor_multiplies_bf16();
}

Tensor product(const Tensor& a, const Tensor& b) {
  return is_widened(a) ? wide(a).mm(wide(b)).to(a.scalar_type()) : a.mm(b);
}

void product_into(Tensor& out, const Tensor& a, const Tensor& b) {
  if (is_widened(a))
    out.copy_(wide(a).mm(wide(b)));
  else
    at::mm_out(out, a, b);
}

void add_product(Tensor& sum, const Tensor& a, const Tensor& b, double scale) {
  if (is_widened(a))
    sum.copy_(at::addmm(wide(sum), wide(a), wide(b), 1, scale));
  else
    sum.addmm_(a, b, 1, scale);
}

Tensor affine(const Tensor& x, const Tensor& w, const Tensor& bias) {
  return is_widened(x) ? at::linear(wide(x), wide(w), wide(bias)).to(x.scalar_type()) : at::linear(x, w, bias);
}

}  // namespace ranktide
