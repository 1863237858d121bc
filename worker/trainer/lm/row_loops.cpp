// Compiled with -O3 and once per instruction set, as philox_mask.cpp is, and with -ffp-contract=off, without
// which AVX512 would fuse multiplications with sums.

#include "worker/trainer/lm/row_loops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "worker/trainer/lm/each_isa.h"

namespace ranktide {
namespace {

constexpr int64_t kLanes = 16;  // sums that run side by side, and are added by halves

// Sum of term(0) ... term(n - 1).
template <class T, class Term>
[[gnu::always_inline]] inline T lanes_sum(int64_t n, const Term& term) {
  std::array<T, kLanes> lanes{};
  const int64_t whole = n / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t j = 0; j < kLanes; ++j) lanes[static_cast<size_t>(j)] += term(i + j);
  for (int64_t i = whole; i < n; ++i) lanes[static_cast<size_t>(i - whole)] += term(i);
  for (size_t half = kLanes / 2; half > 0; half /= 2)
    for (size_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

// The largest of x; a NaN among them is passed over.
template <class T>
[[gnu::always_inline]] inline T lanes_max(int64_t n, const T* x) {
  typedef T Quad [[gnu::vector_size(16)]];  // the compiler makes none of these by itself
  constexpr int64_t kValues = 16 / sizeof(T), kQuads = kLanes / kValues;
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  Quad most[kQuads];
  for (Quad& top : most) top = Quad{} + kLowest;
  const int64_t whole = n / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t j = 0; j < kQuads; ++j) {
      Quad values;
      std::memcpy(&values, x + i + j * kValues, sizeof values);
      most[j] = values > most[j] ? values : most[j];
    }
  T highest = kLowest;
  for (int64_t i = whole; i < n; ++i) highest = x[i] > highest ? x[i] : highest;
  for (const Quad& quad : most)
    for (int64_t j = 0; j < kValues; ++j) highest = quad[j] > highest ? quad[j] : highest;
  return highest;
}

// e^x = 2^n e^r, n whole and |r| <= ln 2 / 2, e^r by Cephes' polynomial: within 2 units of the last place.
// Above 88, for which fp32 has no room, it is that of 88; of NaN it is NaN. Below -76 it is 0: a share of less
// would be denormal, on which processors multiply a hundred times as long, and next to 1 it counts for nothing.
[[gnu::always_inline]] inline float exponential(float of) {
  constexpr float kLeast = -76.0F;
  float x = of < kLeast ? kLeast : of;
  x = x > 88.0F ? 88.0F : x;
  constexpr float kWhole = 12582912.0F;  // 1.5 * 2^23: what is added to it is rounded to a whole number
  const float shifted = x * 1.44269504F + kWhole;
  const float n = shifted - kWhole;
  const float r = x - n * 0.693359375F - n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127) << 23;
  const float result = (p * (r * r) + r + 1.0F) * std::bit_cast<float>(exponent);
  return of < kLeast ? 0.0F : result;
}
[[gnu::always_inline]] inline double exponential(double x) {
  return std::exp(x);
}

[[gnu::always_inline]] inline float wide(Bf16Bits x) {
  return std::bit_cast<float>(uint32_t{x.bits} << 16);
}
[[gnu::always_inline]] inline float wide(float x) {
  return x;
}
[[gnu::always_inline]] inline double wide(double x) {
  return x;
}

// inverse = 1 / sqrt(mean(x^2) + eps)
template <class T>
[[gnu::always_inline]] inline void inverse_rms(const RowRange& rows, const T* x, double eps, T* inverse) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* in = x + row * rows.width;
    const T squares = lanes_sum<T>(rows.width, [&](int64_t i) { return in[i] * in[i]; });
    inverse[row] = 1 / std::sqrt(squares / static_cast<T>(rows.width) + static_cast<T>(eps));
  }
}

template <class T>
[[gnu::always_inline]] inline void norm_forward(const RowRange& rows, const T* x, const T* w, const T* inverse,
                                                T* __restrict y) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* in = x + row * rows.width;
    T* out = y + row * rows.width;
    const T scale = inverse[row];
    for (int64_t i = 0; i < rows.width; ++i) out[i] = in[i] * scale * w[i];
  }
}

template <class T>
[[gnu::always_inline]] inline void norm_backward(const RowRange& rows, const T* x, const T* w, const T* inverse,
                                                 const T* dy, T* __restrict dx) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T *in = x + row * rows.width, *from = dy + row * rows.width;
    T* to = dx + row * rows.width;
    const T scale = inverse[row];
    const T along = lanes_sum<T>(rows.width, [&](int64_t i) { return from[i] * w[i] * (in[i] * scale); }) /
                    static_cast<T>(rows.width);
    for (int64_t i = 0; i < rows.width; ++i) to[i] += (from[i] * w[i] - in[i] * scale * along) * scale;
  }
}

// silu(g) = g / (1 + e^-g). Above 76 its share is 1, and from -88 down, where e^-g ends, it stays e^-88, 6e-39:
// silu(-100) is -6e-37 and not -4e-42, and silu(-1e6) -6e-33 and not 0, both nothing beside what a gate of one
// lets pass. Of -inf it is -inf, and the loss is not finite.
template <class In, class T>
[[gnu::always_inline]] inline void swiglu(const RowRange& rows, const In* gate, const In* up, T* __restrict y) {
  for (int64_t i = rows.from * rows.width; i < rows.to * rows.width; ++i) {
    const T g = wide(gate[i]);
    y[i] = g / (1 + exponential(-g)) * wide(up[i]);
  }
}

// s = 1 / (1 + exp(-g));   silu(g) = g s;   silu'(g) = s (1 + g (1 - s))
template <class In, class T>
[[gnu::always_inline]] inline void swiglu_back(const RowRange& rows, const In* gate, const In* up,
                                               T* __restrict dy, T* __restrict dup) {
  for (int64_t i = rows.from * rows.width; i < rows.to * rows.width; ++i) {
    const T g = wide(gate[i]), d = dy[i];
    const T s = 1 / (1 + exponential(-g));
    dup[i] = d * (g * s);
    dy[i] = d * wide(up[i]) * (s * (1 + g * (1 - s)));
  }
}

template <class T>
[[gnu::always_inline]] inline void turn_heads(const RowRange& rows, int64_t head_dim, const T* x, const T* cos,
                                              const T* sin, T* __restrict y) {
  const int64_t half = head_dim / 2;
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T *c = cos + row * half, *s = sin + row * half;
    for (int64_t at = row * rows.width; at < (row + 1) * rows.width; at += head_dim) {
      const T *first = x + at, *second = first + half;
      for (int64_t i = 0; i < half; ++i) y[at + i] = first[i] * c[i] - second[i] * s[i];
      for (int64_t i = 0; i < half; ++i) y[at + half + i] = second[i] * c[i] + first[i] * s[i];
    }
  }
}

// x = e^(x - highest). Returns: their sum, of pieces short enough that its lanes lose nothing.
template <class T>
[[gnu::always_inline]] inline T exponentials(int64_t n, T highest, T* __restrict x) {
  constexpr int64_t kPiece = 1024;
  T sum = 0;
  for (int64_t from = 0; from < n; from += kPiece) {
    T* piece = x + from;
    const int64_t length = std::min(kPiece, n - from);
    for (int64_t i = 0; i < length; ++i) piece[i] = exponential(piece[i] - highest);
    sum += lanes_sum<T>(length, [&](int64_t i) { return piece[i]; });
  }
  return sum;
}

int64_t seen_by(const CausalBlock& block, int64_t row) {
  return block.seen + row % block.rows / block.group;
}

template <class T>
[[gnu::always_inline]] inline void causal_softmax(const RowRange& rows, const CausalBlock& block,
                                                  T* __restrict p) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    T* x = p + row * rows.width;
    const int64_t n = seen_by(block, row);
    const T part = 1 / exponentials(n, lanes_max(n, x), x);
    for (int64_t i = 0; i < n; ++i) x[i] *= part;
    for (int64_t i = n; i < rows.width; ++i) x[i] = 0;
  }
}

template <class T>
[[gnu::always_inline]] inline void causal_softmax_back(const RowRange& rows, const CausalBlock& block,
                                                       const T* p, T* __restrict ds) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* weight = p + row * rows.width;
    T* out = ds + row * rows.width;
    const int64_t n = seen_by(block, row);
    const T along = lanes_sum<T>(n, [&](int64_t i) { return out[i] * weight[i]; });
    for (int64_t i = 0; i < n; ++i) out[i] = weight[i] * (out[i] - along);
    for (int64_t i = n; i < rows.width; ++i) out[i] = 0;
  }
}

template <class T>
[[gnu::always_inline]] inline void loss(const RowRange& rows, int64_t stride, const int64_t* targets,
                                        double scale, T* __restrict logits, T* log_p) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    T* x = logits + row * stride;
    const T picked = x[targets[row]], highest = lanes_max(rows.width, x);
    const T sum = exponentials(rows.width, highest, x);
    log_p[row] = picked - highest - std::log(sum);
    const T part = static_cast<T>(scale / static_cast<double>(sum));
    for (int64_t i = 0; i < rows.width; ++i) x[i] *= part;
    x[targets[row]] -= static_cast<T>(scale);
  }
}

}  // namespace

RANKTIDE_FOR_EACH_ISA void inverse_rms_rows(const RowRange& rows, const float* x, double eps, float* inverse) {
  inverse_rms(rows, x, eps, inverse);
}
void inverse_rms_rows(const RowRange& rows, const double* x, double eps, double* inverse) {
  inverse_rms(rows, x, eps, inverse);
}

RANKTIDE_FOR_EACH_ISA void rms_norm_forward_rows(const RowRange& rows, const float* x, const float* w,
                                                 const float* inverse, float* y) {
  norm_forward(rows, x, w, inverse, y);
}
void rms_norm_forward_rows(const RowRange& rows, const double* x, const double* w, const double* inverse,
                           double* y) {
  norm_forward(rows, x, w, inverse, y);
}

RANKTIDE_FOR_EACH_ISA void rms_norm_backward_rows(const RowRange& rows, const float* x, const float* w,
                                                  const float* inverse, const float* dy, float* dx) {
  norm_backward(rows, x, w, inverse, dy, dx);
}
void rms_norm_backward_rows(const RowRange& rows, const double* x, const double* w, const double* inverse,
                            const double* dy, double* dx) {
  norm_backward(rows, x, w, inverse, dy, dx);
}

RANKTIDE_FOR_EACH_ISA void swiglu_forward_rows(const RowRange& rows, const float* gate, const float* up,
                                               float* y) {
  swiglu(rows, gate, up, y);
}
RANKTIDE_FOR_EACH_ISA void swiglu_forward_rows(const RowRange& rows, const Bf16Bits* gate, const Bf16Bits* up,
                                               float* y) {
  swiglu(rows, gate, up, y);
}
void swiglu_forward_rows(const RowRange& rows, const double* gate, const double* up, double* y) {
  swiglu(rows, gate, up, y);
}

RANKTIDE_FOR_EACH_ISA void swiglu_backward_rows(const RowRange& rows, const float* gate, const float* up,
                                                float* dy, float* dup) {
  swiglu_back(rows, gate, up, dy, dup);
}
RANKTIDE_FOR_EACH_ISA void swiglu_backward_rows(const RowRange& rows, const Bf16Bits* gate, const Bf16Bits* up,
                                                float* dy, float* dup) {
  swiglu_back(rows, gate, up, dy, dup);
}
void swiglu_backward_rows(const RowRange& rows, const double* gate, const double* up, double* dy, double* dup) {
  swiglu_back(rows, gate, up, dy, dup);
}

RANKTIDE_FOR_EACH_ISA void rotate_rows(const RowRange& rows, int64_t head_dim, const float* x, const float* cos,
                                       const float* sin, float* y) {
  turn_heads(rows, head_dim, x, cos, sin, y);
}
void rotate_rows(const RowRange& rows, int64_t head_dim, const double* x, const double* cos, const double* sin,
                 double* y) {
  turn_heads(rows, head_dim, x, cos, sin, y);
}

RANKTIDE_FOR_EACH_ISA void causal_softmax_rows(const RowRange& rows, const CausalBlock& block, float* p) {
  causal_softmax(rows, block, p);
}
void causal_softmax_rows(const RowRange& rows, const CausalBlock& block, double* p) {
  causal_softmax(rows, block, p);
}

RANKTIDE_FOR_EACH_ISA void causal_softmax_backward_rows(const RowRange& rows, const CausalBlock& block,
                                                        const float* p, float* ds) {
  causal_softmax_back(rows, block, p, ds);
}
void causal_softmax_backward_rows(const RowRange& rows, const CausalBlock& block, const double* p, double* ds) {
  causal_softmax_back(rows, block, p, ds);
}

RANKTIDE_FOR_EACH_ISA void loss_rows(const RowRange& rows, int64_t stride, const int64_t* targets, double scale,
                                     float* logits, float* log_p) {
  loss(rows, stride, targets, scale, logits, log_p);
}
void loss_rows(const RowRange& rows, int64_t stride, const int64_t* targets, double scale, double* logits,
               double* log_p) {
  loss(rows, stride, targets, scale, logits, log_p);
}

}  // namespace ranktide
