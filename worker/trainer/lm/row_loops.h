#pragma once
// What lies between the products of a layer, as loops of the processor over rows in memory: one pass each where
// LibTorch makes one for every operation of the formula. Rows are computed each by itself and in one order of
// sums, without fused multiplications, so no bit depends on threads or on the instruction set, but for the last
// one of a loss, whose logarithm is the C library's. Without LibTorch, and without threads: by_rows.h has both.
// Shapes are ops.h's; fp64 is for tests.

#include <cstdint>

namespace ranktide {

// The rows [from, to) of a matrix, each of `width` values.
struct RowRange {
  int64_t from = 0, to = 0;
  int64_t width = 0;
};

// The upper half of an fp32's bits.
struct Bf16Bits {
  uint16_t bits = 0;
};

void inverse_rms_rows(const RowRange& rows, const float* x, double eps, float* inverse);
void inverse_rms_rows(const RowRange& rows, const double* x, double eps, double* inverse);

// y = w x inverse
void rms_norm_forward_rows(const RowRange& rows, const float* x, const float* w, const float* inverse,
                           float* y);
void rms_norm_forward_rows(const RowRange& rows, const double* x, const double* w, const double* inverse,
                           double* y);
// dx += (w dy - x^ mean(w dy x^)) inverse, x^ = x inverse
void rms_norm_backward_rows(const RowRange& rows, const float* x, const float* w, const float* inverse,
                            const float* dy, float* dx);
void rms_norm_backward_rows(const RowRange& rows, const double* x, const double* w, const double* inverse,
                            const double* dy, double* dx);

// y = silu(gate) up
void swiglu_forward_rows(const RowRange& rows, const float* gate, const float* up, float* y);
void swiglu_forward_rows(const RowRange& rows, const Bf16Bits* gate, const Bf16Bits* up, float* y);
void swiglu_forward_rows(const RowRange& rows, const double* gate, const double* up, double* y);
// dup = dy silu(gate);   dy = dy up silu'(gate)
void swiglu_backward_rows(const RowRange& rows, const float* gate, const float* up, float* dy, float* dup);
void swiglu_backward_rows(const RowRange& rows, const Bf16Bits* gate, const Bf16Bits* up, float* dy,
                          float* dup);
void swiglu_backward_rows(const RowRange& rows, const double* gate, const double* up, double* dy, double* dup);

// y = (x1 cos - x2 sin, x2 cos + x1 sin) of each head. A row is a token's heads; cos, sin: (T, hd / 2).
void rotate_rows(const RowRange& rows, int64_t head_dim, const float* x, const float* cos, const float* sin,
                 float* y);
void rotate_rows(const RowRange& rows, int64_t head_dim, const double* x, const double* cos, const double* sin,
                 double* y);

// Row i of a block of attention, modulo `rows`, sees the first seen + i / group columns.
struct CausalBlock {
  int64_t rows = 0;
  int64_t group = 1;
  int64_t seen = 1;
};
// p = softmax of what a row sees, in place; 0 beyond.
void causal_softmax_rows(const RowRange& rows, const CausalBlock& block, float* p);
void causal_softmax_rows(const RowRange& rows, const CausalBlock& block, double* p);
// ds = p (ds - sum of ds p), in place, where the row sees; 0 beyond.
void causal_softmax_backward_rows(const RowRange& rows, const CausalBlock& block, const float* p, float* ds);
void causal_softmax_backward_rows(const RowRange& rows, const CausalBlock& block, const double* p, double* ds);

// Rows of logits, `stride` values from one to the next. log_p = log softmax at the target; the logits become
// scale (softmax - 1 at the target).
void loss_rows(const RowRange& rows, int64_t stride, const int64_t* targets, double scale, float* logits,
               float* log_p);
void loss_rows(const RowRange& rows, int64_t stride, const int64_t* targets, double scale, double* logits,
               double* log_p);

}  // namespace ranktide
