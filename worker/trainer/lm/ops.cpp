#include "worker/trainer/lm/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/where.h>
#include <numbers>

#include "worker/trainer/lm/by_rows.h"

namespace ranktide {
namespace {

using at::Tensor;

// out = a b, element by element
Tensor times_into(Tensor out, const Tensor& a, const Tensor& b) {
  return at::mul_out(out, a, b);
}

// Llama 3 stretches long wavelengths by `factor`, keeps short ones, and blends between.
Tensor llama3_frequencies(const Tensor& inverse, const Llama3Rope& rope) {
  const Tensor wavelength = (2 * std::numbers::pi) / inverse;
  const Tensor stretched = inverse / rope.factor;
  const Tensor blend = (rope.original_context / wavelength - rope.low_freq_factor) /
                       (rope.high_freq_factor - rope.low_freq_factor);
  const Tensor blended = (1 - blend) * stretched + blend * inverse;
  const Tensor is_long = wavelength > rope.original_context / rope.low_freq_factor;
  const Tensor is_short = wavelength < rope.original_context / rope.high_freq_factor;
  return at::where(is_long, stretched, at::where(is_short, inverse, blended));
}

// The same formulas by the processor's loops, a pass each.

void inverse_rms_by_rows(const Tensor& x, double eps, const Tensor& inverse) {
  visit_types(inverse, [&]<class In, class T>() {
    for_row_ranges(x, x.size(-1), [&](const RowRange& rows) {
      inverse_rms_rows(rows, values_of<T>(x), eps, changed_values_of<T>(inverse));
    });
  });
}

void norm_forward_by_rows(const Tensor& w, const Tensor& x, const Tensor& inverse, const Tensor& y) {
  visit_types(y, [&]<class In, class T>() {
    for_row_ranges(x, x.size(-1), [&](const RowRange& rows) {
      rms_norm_forward_rows(rows, values_of<T>(x), values_of<T>(w), values_of<T>(inverse),
                            changed_values_of<T>(y));
    });
  });
}

void norm_backward_by_rows(const Tensor& w, const Tensor& x, const Tensor& inverse, const Tensor& dy,
                           const Tensor& dx) {
  visit_types(dx, [&]<class In, class T>() {
    for_row_ranges(x, x.size(-1), [&](const RowRange& rows) {
      rms_norm_backward_rows(rows, values_of<T>(x), values_of<T>(w), values_of<T>(inverse), values_of<T>(dy),
                             changed_values_of<T>(dx));
    });
  });
}

void rotate_by_rows(const Tensor& x, const Rotation& r, const Tensor& y) {
  visit_types(y, [&]<class In, class T>() {
    for_row_ranges(x, x.size(1) * x.size(2), [&](const RowRange& rows) {
      rotate_rows(rows, x.size(2), values_of<T>(x), values_of<T>(r.cos), values_of<T>(r.sin),
                  changed_values_of<T>(y));
    });
  });
}

void swiglu_forward_by_rows(const Tensor& gate, const Tensor& up, const Tensor& y) {
  visit_types(gate, [&]<class In, class T>() {
    for_row_ranges(y, y.size(-1), [&](const RowRange& rows) {
      swiglu_forward_rows(rows, values_of<In>(gate), values_of<In>(up), changed_values_of<T>(y));
    });
  });
}

void swiglu_backward_by_rows(const Tensor& gate, const Tensor& up, const Tensor& dy, const Tensor& dup) {
  visit_types(gate, [&]<class In, class T>() {
    for_row_ranges(dy, dy.size(-1), [&](const RowRange& rows) {
      swiglu_backward_rows(rows, values_of<In>(gate), values_of<In>(up), changed_values_of<T>(dy),
                           changed_values_of<T>(dup));
    });
  });
}

}  // namespace

void embed_forward(const Table& table, const Tensor& tokens, const Tensor& y) {
  y.copy_(table.w.value.index_select(0, tokens));  // (T, D)
}

// dW[token] += dy
void embed_backward(const Table& table, const Tensor& tokens, const Tensor& dy) {
  if (table.w.trains()) table.w.grad.index_add_(0, tokens, dy);  // (V, D)
}

void inverse_rms(const Tensor& x, double eps, const Tensor& inverse, Arena& scratch) {
  const Frame frame(scratch);
  Tensor mean = inverse;                                         // (..., 1)
  const Tensor wide = scratch.converted(x, mean.scalar_type());  // (..., D)
  if (is_by_rows({wide, inverse})) return inverse_rms_by_rows(wide, eps, inverse);
  const Tensor squares = times_into(scratch.take(x.sizes(), wide.scalar_type()), wide, wide);  // (..., D)
  at::mean_out(mean, squares, at::IntArrayRef{-1}, /*keepdim=*/true);  // by halves: rounds less than one by one
  mean.add_(eps).rsqrt_();
}

// x^ = x / sqrt(mean(x^2) + eps);   y = w x^
void rms_norm_forward(const Norm& norm, const Tensor& x, const Tensor& inverse, const Tensor& y,
                      Arena& scratch) {
  const Frame frame(scratch);
  const Tensor wide = scratch.converted(x, y.scalar_type());  // (..., D)
  if (is_by_rows({wide, inverse, y})) return norm_forward_by_rows(norm.w.value, wide, inverse, y);
  times_into(y, wide, inverse).mul_(norm.w.value);  // (..., D)
}

// dx += (w dy - x^ mean(w dy x^)) / rms;   dw += sum over rows of dy x^
void rms_norm_backward(const Norm& norm, const Tensor& x, const Tensor& inverse, const Tensor& dy,
                       const Tensor& dx, Arena& scratch) {
  const Frame frame(scratch);
  const at::ScalarType fp32 = inverse.scalar_type();
  const Tensor wide = scratch.converted(x, fp32);  // (..., D)
  const bool by_rows = is_by_rows({wide, inverse, dy, dx});
  if (by_rows && !norm.w.trains()) return norm_backward_by_rows(norm.w.value, wide, inverse, dy, dx);
  const Tensor xhat = scratch.take(x.sizes(), fp32), product = scratch.take(x.sizes(), fp32);
  times_into(xhat, wide, inverse);  // (..., D)
  if (norm.w.trains()) norm.w.grad.add_(times_into(product, dy, xhat).view({-1, x.size(-1)}).sum(0));  // (D)
  if (by_rows) return norm_backward_by_rows(norm.w.value, wide, inverse, dy, dx);
  const Tensor wdy = times_into(scratch.take(x.sizes(), fp32), dy, norm.w.value);  // (..., D)
  const Tensor along = times_into(product, wdy, xhat).mean(-1, /*keepdim=*/true);  // (..., 1)
  dx.addcmul_(wdy.addcmul_(xhat, along, -1), inverse);                             // (..., D)
}

Rotation rotation(const ModelShape& shape, const Tensor& positions, at::ScalarType dtype) {
  const Tensor exponent =
      at::arange(0, shape.head_dim, 2, at::kLong).to(at::kFloat) / static_cast<double>(shape.head_dim);
  Tensor inverse = at::reciprocal(at::pow(shape.rope_theta, exponent));  // (hd / 2)
  if (shape.llama3_rope) inverse = llama3_frequencies(inverse, *shape.llama3_rope);
  const Tensor there = inverse.to(positions.device(), at::kFloat, /*non_blocking=*/true);
  const Tensor angle = (positions.to(at::kFloat).unsqueeze(1) * there).unsqueeze(1);
  return {.cos = angle.cos().to(dtype), .sin = angle.sin().to(dtype)};  // (T, 1, hd / 2)
}

Rotation back(const Rotation& rotation) {
  return {.cos = rotation.cos, .sin = -rotation.sin};
}

// (x1 cos - x2 sin, x2 cos + x1 sin)
void rotate(const Tensor& x, const Rotation& r, const Tensor& y) {
  if (is_by_rows({x, r.cos, r.sin, y})) return rotate_by_rows(x, r, y);
  const auto half = x.chunk(2, -1), turned = y.chunk(2, -1);           // 2 of (T, H, hd / 2)
  times_into(turned[0], half[0], r.cos).addcmul_(half[1], r.sin, -1);  // (T, H, hd / 2)
  times_into(turned[1], half[1], r.cos).addcmul_(half[0], r.sin);      // (T, H, hd / 2)
}

void swiglu_forward(const Tensor& gate, const Tensor& up, const Tensor& y, Arena& scratch) {
  if (is_by_rows({gate, up, y})) return swiglu_forward_by_rows(gate, up, y);
  const Frame frame(scratch);
  Tensor out = y;
  at::silu_out(out, scratch.converted(gate, y.scalar_type())).mul_(up);  // (T, F)
}

// dg = dy u silu'(g);   du = dy silu(g)
void swiglu_backward(const Tensor& gate, const Tensor& up, const Tensor& dy, const Tensor& dup,
                     Arena& scratch) {
  if (is_by_rows({gate, up, dy, dup})) return swiglu_backward_by_rows(gate, up, dy, dup);
  const Frame frame(scratch);
  const Tensor wide = scratch.converted(gate, dy.scalar_type());  // (T, F)
  Tensor du = dup, dg = dy;
  at::silu_out(du, wide).mul_(dy);               // (T, F)
  at::silu_backward_out(dg, dg.mul_(up), wide);  // (T, F)
}

}  // namespace ranktide
