#include "worker/trainer/lm/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <cmath>
#include <limits>
#include <vector>

#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;

// Neighbouring segments of equal length, which share one call.
struct Run {
  int64_t first_token = 0;
  int64_t segments = 0;
  int64_t length = 0;
};

std::vector<Run> runs_of(std::span<const int32_t> segment_ends) {
  std::vector<Run> runs;
  int64_t begin = 0;
  for (const int64_t end : segment_ends) {
    if (!runs.empty() && runs.back().length == end - begin)
      ++runs.back().segments;
    else
      runs.push_back({.first_token = begin, .segments = 1, .length = end - begin});
    begin = end;
  }
  return runs;
}

// (T, H, hd) -> (n, H, S, hd) of one run, a view.
Tensor heads_first(const Tensor& x, const Run& run) {
  return x.narrow(0, run.first_token, run.segments * run.length)
      .view({run.segments, run.length, x.size(1), x.size(2)})
      .transpose(1, 2);
}

// softmax(q k' / sqrt(hd)) v, written out because a counter-based mask falls between softmax and v.
Tensor attention_with_dropout(const Tensor& q, const Tensor& k, const Tensor& v, const Run& run,
                              DropoutKey dropout) {
  const int64_t n = q.size(0), heads = q.size(1), length = q.size(2), group = heads / k.size(1);
  const Tensor future = at::ones({length, length}, at::kBool).triu(1);
  Tensor scores =
      q.to(at::kFloat).matmul(k.to(at::kFloat).repeat_interleave(group, 1).transpose(2, 3));  // (n, Hq, S, S)
  scores = scores.div(std::sqrt(static_cast<double>(q.size(3))))
               .masked_fill(future, -std::numeric_limits<double>::infinity());
  dropout.first_row += run.first_token * heads;  // a row is (token, head)
  const Tensor mask =
      dropout_mask(dropout, n * length * heads, length, at::kFloat).view({n, length, heads, length});
  const Tensor weights = scores.softmax(-1).mul(mask.transpose(1, 2));
  return weights.matmul(v.to(at::kFloat).repeat_interleave(group, 1)).to(q.scalar_type());  // (n, Hq, S, hd)
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Run& run, const DropoutKey& dropout) {
  if (dropout.rate > 0) return attention_with_dropout(q, k, v, run, dropout);
  if (is_widened(q))
    return attend(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), run, dropout).to(q.scalar_type());
  return at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0, /*is_causal=*/true,
                                          /*scale=*/std::nullopt, /*enable_gqa=*/q.size(1) != k.size(1));
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const int32_t> segment_ends,
                 const DropoutKey& dropout) {
  std::vector<Tensor> parts;
  for (const Run& run : runs_of(segment_ends)) {
    const Tensor y = attend(heads_first(q, run), heads_first(k, run), heads_first(v, run), run, dropout);
    parts.push_back(y.transpose(1, 2).reshape({run.segments * run.length, q.size(1) * q.size(2)}));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);  // (T, Hq hd)
}

}  // namespace ranktide
