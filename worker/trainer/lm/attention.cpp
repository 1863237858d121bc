#include "worker/trainer/lm/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mul.h>
#include <algorithm>
#include <cmath>
#include <limits>

#include "common/model/cost.h"
#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;

// The query tokens [from, to) of every segment of a run, kAttentionRows of them or the rest. Each sees keys [0,
// to), less the causal triangle.
struct Block {
  int64_t from = 0, to = 0;
  int64_t rows() const { return to - from; }
};

// What the blocks of one run share. Batches are (segment, group): B = n Hkv.
struct RunTensors {
  Tensor q;     // (B, S g, hd)
  Tensor k, v;  // (B, S, hd)
  int64_t group = 0;
  double scale = 0;
};

// The rows of a run, by head.
Tensor heads_of(const Attention& attention, const Run& run, const Tensor& x) {
  const int64_t group = x.size(1) / (attention.kv_heads * attention.head_dim);
  return x.narrow(0, run.first_token, run.segments * run.length)
      .view({run.segments, attention.kv_heads, run.length, group, attention.head_dim});
}

// The rows of a run that lie by token, seen by head.
Tensor tokens_of(const Attention& attention, const Run& run, const Tensor& x) {
  const int64_t group = x.size(1) / (attention.kv_heads * attention.head_dim);
  return x.narrow(0, run.first_token, run.segments * run.length)
      .view({run.segments, run.length, attention.kv_heads, group, attention.head_dim})
      .permute({0, 2, 1, 3, 4});  // (n, Hkv, S, g, hd)
}

// (n, Hkv, S, g, hd) -> (B, S g, hd)
Tensor batched(const Tensor& heads) {
  return heads.view({heads.size(0) * heads.size(1), heads.size(2) * heads.size(3), heads.size(4)});
}

RunTensors tensors_of(const Attention& attention, const Run& run, const Tensor& q, const Tensor& k,
                      const Tensor& v, Arena& scratch) {
  // Scores, weights and their sums are fp32 also where bf16 has kernels: rounded before the softmax, a score of
  // 16 would be off by 6 % of its weight.
  const auto widened = [&](const Tensor& x) {
    return scratch.converted(batched(heads_of(attention, run, x)), sum_dtype(x.scalar_type()));
  };
  return {.q = widened(q),
          .k = widened(k),
          .v = widened(v),
          .group = q.size(1) / k.size(1),
          .scale = 1 / std::sqrt(static_cast<double>(attention.head_dim))};
}

// -inf where a row of a diagonal block, (row, head of the group), may not look; nothing where loops, which know
// that by themselves, compute the softmax.
Tensor future_of(const RunTensors& run) {
  if (computes_by_rows(run.q.device())) return {};
  const Tensor square =
      at::full({kAttentionRows, kAttentionRows}, -std::numeric_limits<double>::infinity(), run.q.options())
          .triu(1);
  return square.repeat_interleave(run.group, 0);  // (kAttentionRows g, kAttentionRows)
}

CausalBlock causal_block_of(const RunTensors& run, const Block& block) {
  return {.rows = block.rows() * run.group, .group = run.group, .seen = block.from + 1};
}

// p = softmax of p, of what each row may see
void softmax(const Tensor& p, const RunTensors& run, const Block& block, const Tensor& future) {
  if (is_by_rows({p})) {
    return visit_types(p, [&]<class In, class T>() {
      for_row_ranges(p, block.to, [&](const RowRange& rows) {
        causal_softmax_rows(rows, causal_block_of(run, block), changed_values_of<T>(p));
      });
    });
  }
  RT_CHECK(future.defined());
  const int64_t rows = block.rows() * run.group;
  p.narrow(2, block.from, block.rows()).add_(future.narrow(0, 0, rows).narrow(1, 0, block.rows()));
  Tensor out = p;
  at::_softmax_out(out, p, -1, /*half_to_float=*/false);
}

// ds = P (ds - sum of ds P)
void softmax_backward(const Tensor& p, const RunTensors& run, const Block& block, const Tensor& ds) {
  if (is_by_rows({p, ds})) {
    return visit_types(p, [&]<class In, class T>() {
      for_row_ranges(p, block.to, [&](const RowRange& rows) {
        causal_softmax_backward_rows(rows, causal_block_of(run, block), values_of<T>(p),
                                     changed_values_of<T>(ds));
      });
    });
  }
  Tensor out = ds;
  at::_softmax_backward_data_out(out, ds, p, -1, p.scalar_type());
}

// P = softmax(q k' / sqrt(hd)) of one block.
Tensor weights_of(const RunTensors& run, const Block& block, const Tensor& future, Arena& scratch) {
  const int64_t rows = block.rows() * run.group;
  const Tensor p = scratch.take({run.q.size(0), rows, block.to}, run.q.scalar_type());  // (B, R g, to)
  product_into(p, run.q.narrow(1, block.from * run.group, rows), run.k.narrow(1, 0, block.to).transpose(1, 2),
               scratch, run.scale);
  softmax(p, run, block, future);
  return p;
}

// The dropout of a block's weights; a row of the mask is (token, head), whatever block it is drawn in.
Tensor block_mask_of(const Attention& attention, const Run& run, const Block& block, int64_t group,
                     at::ScalarType dtype, Arena& scratch) {
  const int64_t heads = attention.kv_heads * group;
  const Tensor mask = scratch.take({run.segments, block.rows() * heads, block.to}, mask_dtype(dtype));
  for (int64_t segment = 0; segment < run.segments; ++segment) {
    DropoutKey key = attention.dropout;
    key.first_row += (run.first_token + segment * run.length + block.from) * heads;
    draw_dropout_mask(key, mask.select(0, segment));
  }
  return mask.view({run.segments, block.rows(), attention.kv_heads, group, block.to}).permute({0, 2, 1, 3, 4});
}

// x: (B, R g, ...) of a block, times its mask.
void drop(const Tensor& x, const Tensor& mask) {
  x.view(mask.sizes()).mul_(mask);
}

template <class Visit>
void for_each_block(const Run& run, const Visit& visit) {
  for (int64_t from = 0; from < run.length; from += kAttentionRows)
    visit(Block{.from = from, .to = std::min(from + kAttentionRows, run.length)});
}

void run_forward(const Attention& attention, const Run& run, const Tensor& q, const Tensor& k, const Tensor& v,
                 const Tensor& y, Arena& scratch) {
  const Frame frame(scratch);
  const RunTensors tensors = tensors_of(attention, run, q, k, v, scratch);
  const Tensor future = future_of(tensors), y_heads = tokens_of(attention, run, y);
  for_each_block(run, [&](const Block& block) {
    const Frame inner(scratch);
    const Tensor p = weights_of(tensors, block, future, scratch);  // (B, R g, to)
    if (attention.dropout.rate > 0)
      drop(p, block_mask_of(attention, run, block, tensors.group, p.scalar_type(), scratch));
    const Tensor o = scratch.take({p.size(0), p.size(1), attention.head_dim}, p.scalar_type());  // (B, R g, hd)
    product_into(o, p, tensors.v.narrow(1, 0, block.to), scratch);
    const Tensor out = y_heads.narrow(2, block.from, block.rows());  // (n, Hkv, R, g, hd)
    out.copy_(o.view(out.sizes()));
  });
}

// sum[:, :to] += scale a' b
void add_to_keys(const Tensor& sum, const Tensor& a, const Tensor& b, double scale, Arena& scratch) {
  const Tensor product = scratch.take({a.size(0), a.size(2), b.size(2)}, sum.scalar_type());  // (B, to, hd)
  product_into(product, a.transpose(1, 2), b, scratch, scale);
  sum.narrow(1, 0, a.size(2)).add_(product);
}

// P~ = dropout(P);   dV += P~' dO;   dP = dropout(dO V');   dS = P (dP - sum of dP P);
// dQ = dS K / sqrt(hd);   dK += dS' Q / sqrt(hd)
void block_backward(const Attention& attention, const Run& run, const Block& block, const RunTensors& tensors,
                    const Tensor& future, const Tensor& dy, const Tensor& dq, const Tensor& dk,
                    const Tensor& dv, Arena& scratch) {
  const Tensor p = weights_of(tensors, block, future, scratch);  // (B, R g, to)
  const at::ScalarType dtype = p.scalar_type();
  const Tensor dy_rows = dy.narrow(2, block.from, block.rows());                    // (n, Hkv, R, g, hd)
  const Tensor d_o = batched(scratch.take(dy_rows.sizes(), dtype).copy_(dy_rows));  // (B, R g, hd)
  const Tensor ds = scratch.take(p.sizes(), dtype);                                 // (B, R g, to)
  product_into(ds, d_o, tensors.v.narrow(1, 0, block.to).transpose(1, 2), scratch);
  if (attention.dropout.rate > 0) {
    const Tensor mask = block_mask_of(attention, run, block, tensors.group, dtype, scratch);
    Tensor thinned = scratch.take(p.sizes(), dtype);  // (B, R g, to)
    drop(thinned.copy_(p), mask);
    drop(ds, mask);
    add_to_keys(dv, thinned, d_o, 1, scratch);
  } else {
    add_to_keys(dv, p, d_o, 1, scratch);
  }
  softmax_backward(p, tensors, block, ds);
  const Tensor dq_rows = dq.narrow(2, block.from, block.rows());  // (n, Hkv, R, g, hd)
  const Tensor dq_block = scratch.take(dq_rows.sizes(), dq.scalar_type());
  product_into(batched(dq_block), ds, tensors.k.narrow(1, 0, block.to), scratch, tensors.scale);
  dq_rows.copy_(dq_block);
  add_to_keys(dk, ds, tensors.q.narrow(1, block.from * tensors.group, p.size(1)), tensors.scale, scratch);
}

}  // namespace

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

void to_heads(const Attention& attention, const Tensor& by_token, const Tensor& by_head) {
  for (const Run& run : attention.runs)
    heads_of(attention, run, by_head).copy_(tokens_of(attention, run, by_token));
}

void from_heads(const Attention& attention, const Tensor& by_head, const Tensor& by_token) {
  for (const Run& run : attention.runs)
    tokens_of(attention, run, by_token).copy_(heads_of(attention, run, by_head));
}

void attention_forward(const Attention& attention, const Tensor& q, const Tensor& k, const Tensor& v,
                       const Tensor& y, Arena& scratch) {
  for (const Run& run : attention.runs) run_forward(attention, run, q, k, v, y, scratch);
}

void attention_backward(const Attention& attention, const Tensor& q, const Tensor& k, const Tensor& v,
                        const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        Arena& scratch) {
  dk.zero_();
  dv.zero_();
  for (const Run& run : attention.runs) {
    const Frame frame(scratch);
    const RunTensors tensors = tensors_of(attention, run, q, k, v, scratch);
    const Tensor future = future_of(tensors);
    const Tensor dy_heads = tokens_of(attention, run, dy), dq_heads = tokens_of(attention, run, dq);
    const Tensor dk_heads = batched(heads_of(attention, run, dk)),
                 dv_heads = batched(heads_of(attention, run, dv));
    for_each_block(run, [&](const Block& block) {
      const Frame inner(scratch);
      block_backward(attention, run, block, tensors, future, dy_heads, dq_heads, dk_heads, dv_heads, scratch);
    });
  }
}

}  // namespace ranktide
