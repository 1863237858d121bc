#include "worker/trainer/lm/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <vector>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;

// The head for the chunks of one call.
struct Head {
  Tensor w;       // (V, D), a factor
  Tensor logits;  // fp32 (kLossRows, V), overwritten from chunk to chunk
};

// Values between the rows of logits. A vocabulary is often a multiple of 4 KiB, and rows that lie so far apart
// push each other out of the processor's caches: the product that writes them takes up to a fifth longer. A GPU
// has no such caches, and copies what does not lie in one piece.
int64_t gap_on(at::Device device) {
  return device.is_cpu() ? 16 : 0;
}

Head head_of(const Table& table, int64_t rows, Arena& scratch) {
  const Tensor w = factor(table.w.value, scratch);
  const at::ScalarType fp32 = sum_dtype(w.scalar_type());
  const Tensor spaced = scratch.take({std::min(kLossRows, rows), w.size(0) + gap_on(w.device())}, fp32);
  return {.w = w, .logits = spaced.narrow(1, 0, w.size(0))};
}

// Returns: fp32 logits of these rows, x W'.
Tensor logits_of(const Head& head, const Tensor& x, Arena& scratch) {
  const Tensor logits = head.logits.narrow(0, 0, x.size(0));  // (n, V)
  product_into(logits, x, head.w.t(), scratch);
  return logits;
}

// What the softmax of a row needs. Turns logits l into e = exp(l - highest) in place.
struct Exponentials {
  Tensor sum;    // (n, 1), of e: p = e / sum
  Tensor log_p;  // (n, 1), of the target
};
Exponentials exponentials_of(const Tensor& logits, const Tensor& targets) {
  const Tensor picked = logits.gather(1, targets.unsqueeze(1));  // (n, 1)
  const Tensor highest = logits.amax(1, /*keepdim=*/true);       // (n, 1)
  logits.sub_(highest).exp_();
  const Tensor sum = logits.sum(1, /*keepdim=*/true);  // (n, 1)
  return {.sum = sum, .log_p = picked - highest - sum.log()};
}

// Logits of a chunk become the gradient of the loss by them. Returns: (n), log p(target).
Tensor loss_of(const Tensor& logits, const Tensor& targets, double scale) {
  if (logits.is_cpu() && is_by_rows({targets})) {
    const Tensor log_p = at::empty({logits.size(0)}, logits.options());
    visit_types(logits, [&]<class In, class T>() {
      for_row_ranges(logits, logits.size(1), [&](const RowRange& rows) {
        loss_rows(rows, logits.stride(0), values_of<int64_t>(targets), scale, changed_values_of<T>(logits),
                  changed_values_of<T>(log_p));
      });
    });
    return log_p;
  }
  const Exponentials of = exponentials_of(logits, targets);
  logits.mul_(scale / of.sum);
  logits.scatter_add_(1, targets.unsqueeze(1), at::full({logits.size(0), 1}, -scale, logits.options()));
  return of.log_p;
}

template <class Visit>
void for_each_chunk(const Tensor& x, const Tensor& targets, const Visit& visit) {
  for (int64_t row = 0; row < x.size(0); row += kLossRows) {
    const int64_t n = std::min(kLossRows, x.size(0) - row);
    visit(row, x.narrow(0, row, n), targets.narrow(0, row, n));
  }
}

}  // namespace

// P = softmax(x W');   loss = -scale sum log P[row, target]
// dX = scale (P - onehot) W;   dW += scale (P - onehot)' x
Tensor head_loss(const Table& table, const Tensor& x, const Tensor& targets, double scale, const Tensor& dx,
                 Arena& scratch) {
  RT_CHECK(x.size(0) > 0);
  RT_CHECK(x.size(0) == targets.size(0));
  const Frame frame(scratch);
  const Head head = head_of(table, x.size(0), scratch);
  const Tensor sum = at::zeros({}, x.options().dtype(at::kDouble));
  for_each_chunk(scratch.converted(x, head.w.scalar_type()), targets,
                 [&](int64_t row, const Tensor& rows, const Tensor& wanted) {
                   const Frame inner(scratch);
                   const Tensor e = logits_of(head, rows, scratch);  // (n, V)
                   sum.sub_(loss_of(e, wanted, scale).sum(at::kDouble));
                   const Tensor dlogits = scratch.converted(e, head.w.scalar_type());  // (n, V), a factor
                   product_into(dx.narrow(0, row, rows.size(0)), dlogits, head.w, scratch);
                   if (table.w.trains()) add_product(table.w.grad, dlogits.t(), rows, scratch);
                 });
  return sum.mul_(scale);
}

Tensor head_logits(const Table& table, const Tensor& x, Arena& scratch) {
  const Tensor logits =
      at::empty({x.size(0), table.w.value.size(0)}, x.options().dtype(sum_dtype(x.scalar_type())));
  const Frame frame(scratch);
  product_into(logits, scratch.converted(x, factor_dtype(table.w.value)), table.w.value.t(), scratch);
  return logits;
}

RowScores head_scores(const Table& table, const Tensor& x, const Tensor& targets, Arena& scratch) {
  const Frame frame(scratch);
  const Head head = head_of(table, x.size(0), scratch);
  std::vector<Tensor> log_p, greedy;
  for_each_chunk(scratch.converted(x, head.w.scalar_type()), targets,
                 [&](int64_t, const Tensor& rows, const Tensor& wanted) {
                   const Tensor logits = logits_of(head, rows, scratch);  // (n, V)
                   greedy.push_back(logits.argmax(1).eq(wanted));  // of equals the first: rounding makes some
                   log_p.push_back(exponentials_of(logits, wanted).log_p.squeeze(1));
                 });
  return {.log_p = at::cat(log_p), .greedy = at::cat(greedy)};
}

}  // namespace ranktide
