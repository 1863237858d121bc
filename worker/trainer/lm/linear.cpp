#include "worker/trainer/lm/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>
#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using at::Tensor;

int64_t rank_of(const Linear& linear) {
  return linear.a.exists() ? linear.a.value.size(0) : 0;
}

int64_t rank_of(Branches branches) {
  return std::accumulate(branches.begin(), branches.end(), int64_t{0},
                         [](int64_t sum, const Branch& branch) { return sum + rank_of(branch.linear); });
}

bool drops(Branches branches) {
  return std::any_of(branches.begin(), branches.end(), [](const Branch& b) { return b.dropout.rate > 0; });
}

// Calls `visit` for every branch with an adapter, with its columns of a (T, sum of r).
void for_each_adapter(Branches branches, const Tensor& side_by_side,
                      const std::function<void(size_t, const Tensor&)>& visit) {
  int64_t column = 0;
  for (size_t i = 0; i < branches.size(); ++i) {
    const int64_t rank = rank_of(branches[i].linear);
    if (rank > 0) visit(i, side_by_side.narrow(1, column, rank));  // (T, r)
    column += rank;
  }
}

// The A of all adapters, one below the other: skinny products of an input they share become one.
Tensor stacked_a(Branches branches, Arena& scratch) {
  std::vector<Tensor> parts;
  for (const Branch& branch : branches)
    if (branch.linear.a.exists()) parts.push_back(branch.linear.a.value);
  if (parts.size() == 1) return parts.front();
  Tensor a = scratch.take({rank_of(branches), parts.front().size(1)}, parts.front().scalar_type());
  return at::cat_out(a, parts);  // (sum of r, In)
}

// The mask of an adapter's input, (T, In), for products with `factor`, (T, ...). Undefined: nothing is dropped.
Tensor mask_of(const Branch& branch, const Tensor& factor, Arena& scratch) {
  if (branch.dropout.rate == 0) return {};
  const Tensor mask =
      scratch.take({factor.size(0), branch.linear.a.value.size(1)}, mask_dtype(factor.scalar_type()));
  draw_dropout_mask(branch.dropout, mask);
  return mask;
}

// x~ = dropout(x)
Tensor dropped(const Tensor& x, const Tensor& mask, Arena& scratch) {
  if (!mask.defined()) return x;
  Tensor out = scratch.take(x.sizes(), x.scalar_type());
  return at::mul_out(out, x, mask);  // (T, In)
}

// x as the products of these linears multiply it.
Tensor input_factor(Branches branches, const Tensor& x, Arena& scratch) {
  return scratch.converted(x, factor_dtype(branches.front().linear.w.value));
}

// x~ A' of every adapter.
Tensor adapter_inputs(Branches branches, const Tensor& x, Workspace& memory) {
  const int64_t rank = rank_of(branches);
  if (rank == 0) return {};
  const Tensor xa = memory.kept.take({x.size(0), rank}, branches.front().linear.w.value.scalar_type());
  const Frame frame(memory.scratch);
  if (!drops(branches)) {
    product_into(xa, x, stacked_a(branches, memory.scratch).t(), memory.scratch);  // (T, sum of r)
    return xa;
  }
  for_each_adapter(branches, xa, [&](size_t i, const Tensor& xa_i) {
    const Frame inner(memory.scratch);
    const Tensor mask = mask_of(branches[i], x, memory.scratch);  // (T, In)
    product_into(xa_i, dropped(x, mask, memory.scratch), branches[i].linear.a.value.t(),
                 memory.scratch);  // (T, r)
  });
  return xa;
}

// y += s (x~ A') B'   of one branch
void add_adapter(Branches branches, size_t branch, const LinearSaved& saved, const Tensor& y, Arena& scratch) {
  const Linear& linear = branches[branch].linear;
  if (!linear.a.exists()) return;
  const Tensor xa = saved.xa.narrow(1, rank_of(branches.first(branch)), rank_of(linear));  // (T, r)
  add_product(y, xa, linear.b.value.t(), scratch, linear.scale);                           // (T, Out)
}

// dW += dy' x;   dc += sum dy
void weight_backward(const Linear& linear, const Tensor& dy, const Tensor& x, Arena& scratch) {
  if (linear.w.trains()) add_product(linear.w.grad, dy.t(), x, scratch);  // (Out, In)
  if (linear.bias.trains()) linear.bias.grad.add_(dy.sum(0, false, linear.bias.grad.scalar_type()));  // (Out)
}

// dA += dyb' x~;   dx += dropout(dyb A)
void adapter_backward(const Branch& branch, const Tensor& dyb, const Tensor& x, const Tensor& dx,
                      Arena& scratch) {
  const Weight& a = branch.linear.a;
  const Tensor mask = mask_of(branch, dyb, scratch);  // (T, In), as the forward pass drew it
  if (a.trains()) {
    const Frame frame(scratch);
    add_product(a.grad, dyb.t(), dropped(x, mask, scratch), scratch);  // (r, In)
  }
  if (!dx.defined()) return;
  if (!mask.defined()) return add_product(dx, dyb, a.value, scratch);  // (T, In)
  const Tensor back = scratch.take(dx.sizes(), dx.scalar_type());      // (T, In)
  product_into(back, dyb, a.value, scratch);
  dx.addcmul_(back, scratch.converted(mask, dx.scalar_type()));
}

// The same for all adapters at once, where they see one input.
void adapters_backward(Branches branches, const Tensor& dyb, const Tensor& x, const Tensor& dx,
                       Arena& scratch) {
  const Tensor a = stacked_a(branches, scratch);                          // (sum of r, In)
  if (dx.defined()) add_product(dx, dyb, a, scratch);                     // (T, In)
  if (!x.defined()) return;                                               // no A trains
  const Tensor da = scratch.take(a.sizes(), sum_dtype(a.scalar_type()));  // (sum of r, In)
  product_into(da, dyb.t(), x, scratch);
  for_each_adapter(branches, da.t(), [&](size_t i, const Tensor& da_i) {
    if (branches[i].linear.a.trains()) branches[i].linear.a.grad.add_(da_i.t());
  });
}

}  // namespace

void linears_forward(Branches branches, const Tensor& x, std::span<const Tensor> y, LinearSaved& saved,
                     Workspace& memory) {
  Arena& scratch = memory.scratch;
  const Frame frame(scratch);
  const Tensor fx = input_factor(branches, x, scratch);  // (T, In)
  saved.xa = adapter_inputs(branches, fx, memory);
  for (size_t i = 0; i < branches.size(); ++i) {
    const Frame inner(scratch);
    const Linear& linear = branches[i].linear;
    const bool sums_here = y[i].scalar_type() == factor_dtype(y[i]);
    const Tensor sum = sums_here ? y[i] : scratch.take(y[i].sizes(), factor_dtype(y[i]));  // (T, Out)
    product_into(sum, fx, linear.w.value.t(), scratch);
    if (linear.bias.exists()) sum.add_(linear.bias.value);
    add_adapter(branches, i, saved, sum, scratch);
    if (!sums_here) y[i].copy_(sum);
  }
}

void add_linear_forward(const Branch& branch, const Tensor& x, const Tensor& h, const Tensor& sum,
                        LinearSaved& saved, Workspace& memory) {
  const Frame frame(memory.scratch);
  const Linear& linear = branch.linear;
  const Tensor fx = input_factor({&branch, 1}, x, memory.scratch);  // (T, In)
  saved.xa = adapter_inputs({&branch, 1}, fx, memory);
  // Not add_product(): a kernel that adds a long inner side up in pieces would round each at the size of the
  // residual stream, which is much larger than what a branch adds to it.
  const Tensor y = memory.scratch.take(sum.sizes(), fx.scalar_type());  // (T, Out)
  product_into(y, fx, linear.w.value.t(), memory.scratch);
  Tensor out = sum;
  at::add_out(out, h, y);
  if (linear.bias.exists()) sum.add_(linear.bias.value);
  add_adapter({&branch, 1}, 0, saved, sum, memory.scratch);
}

bool linear_trains(const Linear& linear) {
  return linear.w.trains() || linear.bias.trains() || linear.a.trains() || linear.b.trains();
}

bool needs_input(Branches branches) {
  return std::any_of(branches.begin(), branches.end(),
                     [](const Branch& b) { return b.linear.w.trains() || b.linear.a.trains(); });
}

void linears_backward(Branches branches, std::span<const Tensor> dy, const Tensor& x, const LinearSaved& saved,
                      const Tensor& dx, Arena& scratch) {
  const Frame frame(scratch);
  const Tensor fx = x.defined() ? input_factor(branches, x, scratch) : x;  // (T, In)
  const Tensor& xa = saved.xa;                                             // (T, sum of r)
  const Tensor dyb = xa.defined() ? scratch.take(xa.sizes(), factor_dtype(xa)) : Tensor{};
  for (size_t i = 0; i < branches.size(); ++i) {
    const Frame inner(scratch);
    const Linear& linear = branches[i].linear;
    const Tensor fdy = input_factor(branches, dy[i], scratch);  // (T, Out)
    weight_backward(linear, fdy, fx, scratch);
    if (dx.defined()) (i == 0 ? product_into : add_product)(dx, fdy, linear.w.value, scratch, 1);  // (T, In)
    const int64_t rank = rank_of(linear);
    if (rank == 0) continue;
    const int64_t column = rank_of(branches.first(i));
    product_into(dyb.narrow(1, column, rank), fdy, linear.b.value, scratch, linear.scale);  // (T, r)
    if (linear.b.trains())
      add_product(linear.b.grad, fdy.t(), xa.narrow(1, column, rank), scratch, linear.scale);  // (Out, r)
  }
  if (!dyb.defined()) return;
  if (!drops(branches)) return adapters_backward(branches, dyb, fx, dx, scratch);
  for_each_adapter(branches, dyb, [&](size_t i, const Tensor& dyb_i) {
    const Frame inner(scratch);
    adapter_backward(branches[i], dyb_i, fx, dx, scratch);
  });
}

}  // namespace ranktide
