// The very bits that the processor's loops compute from a fixed input: of this numerics version, and of every
// instruction set. Without LibTorch.

#include <bit>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/numerics.h"
#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/lm/row_loop_set.h"

namespace ranktide {
namespace {

using Values = std::vector<float>;

struct LoopOutput {
  std::string of;
  Values values;
  bool has_logarithm = false;  // the C library's, whose last bit is its own affair
};
using LoopOutputs = std::vector<LoopOutput>;

constexpr int64_t kRows = 9, kHeadDim = 18, kWidth = 3 * kHeadDim + 5;  // no vector's multiple
constexpr int64_t kLongWidth = 2100;                                    // sums of more than one piece

constexpr RowRange kRowsOfWidth{.from = 0, .to = kRows, .width = kWidth};
constexpr RowRange kLongRows{.from = 0, .to = kRows, .width = kLongWidth};

// Uniform in +-most, by operations that are exact or rounded the same everywhere.
Values drawn(int64_t count, double most, uint64_t seed) {
  SplitMix64 chance{seed};
  Values values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>((chance.unit() - 0.5) * (2 * most));
  return values;
}

// Among them what an exponential treats by itself: nothing, and beyond both ends of its range.
Values drawn_gates() {
  Values gates = drawn(kRows * kWidth, 12, 21);
  size_t at = 0;
  for (const float special : {0.0F, -0.0F, 75.5F, 76.5F, 90.0F, 1e30F, -75.5F, -76.5F, -87.5F, -90.0F, -1e6F})
    gates[at += 7] = special;
  return gates;
}

std::vector<Bf16Bits> upper_halves(const Values& values) {
  std::vector<Bf16Bits> out;
  for (const float value : values)
    out.push_back({.bits = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16)});
  return out;
}

LoopOutputs norms_by(const RowLoopSet& loops) {
  const Values x = drawn(kRows * kWidth, 3, 1), w = drawn(kWidth, 2, 2), dy = drawn(kRows * kWidth, 1, 3);
  Values inverse(kRows), y(x.size()), dx = drawn(kRows * kWidth, 1, 4);
  loops.inverse_rms(kRowsOfWidth, x.data(), 1e-5, inverse.data());
  loops.norm_forward(kRowsOfWidth, x.data(), w.data(), inverse.data(), y.data());
  loops.norm_backward(kRowsOfWidth, x.data(), w.data(), inverse.data(), dy.data(), dx.data());
  return {{"inverse rms", inverse}, {"norm", y}, {"norm, backward", dx}};
}

LoopOutputs turned_by(const RowLoopSet& loops) {
  constexpr int64_t kHeads = 3;
  const Values x = drawn(kRows * kHeads * kHeadDim, 3, 11), cos = drawn(kRows * kHeadDim / 2, 1, 12),
               sin = drawn(kRows * kHeadDim / 2, 1, 13);
  Values y(x.size());
  loops.rotate({.from = 0, .to = kRows, .width = kHeads * kHeadDim}, kHeadDim, x.data(), cos.data(), sin.data(),
               y.data());
  return {{"rotation", y}};
}

LoopOutputs gated_by(const RowLoopSet& loops) {
  const Values gate = drawn_gates(), up = drawn(kRows * kWidth, 3, 22);
  const std::vector<Bf16Bits> short_gate = upper_halves(gate), short_up = upper_halves(up);
  Values y(gate.size()), short_y(gate.size()), dup(gate.size()), short_dup(gate.size());
  Values dy = drawn(kRows * kWidth, 1, 23), short_dy = dy;
  loops.swiglu_forward(kRowsOfWidth, gate.data(), up.data(), y.data());
  loops.swiglu_backward(kRowsOfWidth, gate.data(), up.data(), dy.data(), dup.data());
  loops.swiglu_forward_of_bf16(kRowsOfWidth, short_gate.data(), short_up.data(), short_y.data());
  loops.swiglu_backward_of_bf16(kRowsOfWidth, short_gate.data(), short_up.data(), short_dy.data(),
                                short_dup.data());
  return {{"swiglu", y},
          {"swiglu, gate", dy},
          {"swiglu, up", dup},
          {"swiglu of bf16", short_y},
          {"swiglu of bf16, gate", short_dy},
          {"swiglu of bf16, up", short_dup}};
}

LoopOutputs weighed_by(const RowLoopSet& loops) {
  const CausalBlock block{.rows = 6, .group = 2, .seen = kLongWidth - 5};
  Values p = drawn(kRows * kLongWidth, 45, 31), ds = drawn(kRows * kLongWidth, 1, 32);
  loops.softmax(kLongRows, block, p.data());
  loops.softmax_backward(kLongRows, block, p.data(), ds.data());
  return {{"softmax", p}, {"softmax, backward", ds}};
}

LoopOutputs lost_by(const RowLoopSet& loops) {
  constexpr int64_t kStride = kLongWidth + 16;
  std::vector<int64_t> targets;
  for (int64_t row = 0; row < kRows; ++row) targets.push_back(row * 233 + 1);
  Values logits = drawn(kRows * kStride, 45, 41), log_p(kRows);
  loops.loss(kLongRows, kStride, targets.data(), 0.3, logits.data(), log_p.data());
  return {{"gradient of logits", logits}, {"log p", log_p, /*has_logarithm=*/true}};
}

LoopOutputs outputs_of(const RowLoopSet& loops) {
  LoopOutputs all;
  for (const auto part : {norms_by, turned_by, gated_by, weighed_by, lost_by})
    for (LoopOutput& output : part(loops)) all.push_back(std::move(output));
  return all;
}

std::string_view bytes_of(const Values& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// Those that the engine calls: of the instruction set that fits this processor best.
RowLoopSet loops_of_the_engine() {
  return {.inverse_rms = inverse_rms_rows,
          .norm_forward = rms_norm_forward_rows,
          .norm_backward = rms_norm_backward_rows,
          .swiglu_forward = swiglu_forward_rows,
          .swiglu_forward_of_bf16 = swiglu_forward_rows,
          .swiglu_backward = swiglu_backward_rows,
          .swiglu_backward_of_bf16 = swiglu_backward_rows,
          .rotate = rotate_rows,
          .softmax = causal_softmax_rows,
          .softmax_backward = causal_softmax_backward_rows,
          .loss = loss_rows};
}

TEST(RowLoopBits, AreThoseOfThisNumericsVersion) {
  constexpr int kSince = 8;
  Sha256 bits;
  for (const LoopOutput& output : outputs_of(loops_of_the_engine()))
    if (!output.has_logarithm) bits.update(bytes_of(output.values));
  EXPECT_EQ(bits.hex(), "b3f5ef0a5b162b266f0ce80d21bc6d58d2277af023c3d42d7175f3a5865a90ab") << "the loops compute other bits than since version " << kSince
                             << " of the numerics, and this is " << kNumericsVersion
                             << ": a change of bits is a new version (common/vocabulary/numerics.h)";
}

void expect_the_engines_bits(const RowLoopSet& loops) {
  const LoopOutputs ours = outputs_of(loops_of_the_engine()), theirs = outputs_of(loops);
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i)
    EXPECT_TRUE(bytes_of(ours[i].values) == bytes_of(theirs[i].values)) << ours[i].of;
}

#if defined(__x86_64__)
TEST(RowLoopBits, AreTheSameWithoutAVX) {
  expect_the_engines_bits(loops_x86_64::row_loops());
}

TEST(RowLoopBits, AreTheSameWhereMultiplicationsMightBeFused) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    GTEST_SKIP() << "needs a processor with AVX2 and FMA";
  expect_the_engines_bits(loops_avx2_fma::row_loops());
}
#endif

}  // namespace
}  // namespace ranktide
