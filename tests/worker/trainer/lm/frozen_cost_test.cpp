// What does not train costs nothing: the products of a pass, counted where LibTorch and the engine tell of them.
#include <ATen/record_function.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <string_view>

#include "common/model/step_work.h"
#include "tests/worker/trainer/lm/random_network.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

using oracle::Trained;

// (rows, inner) (inner, columns), or a batch of these.
struct SeenProduct {
  int64_t batch = 1, rows = 0, inner = 0, columns = 0;
  int64_t terms() const { return batch * rows * inner * columns; }
  bool has_side(int64_t n) const { return rows == n || inner == n || columns == n; }
};
using SeenProducts = std::vector<SeenProduct>;

SeenProducts& seen_products() {
  static SeenProducts seen;
  return seen;
}

// A plain product's arguments are (a, b), those of one with a sum, and of the engine's own, (sum, a, b, ...).
std::unique_ptr<at::ObserverContext> see(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  const bool is_plain = name == "aten::mm" || name == "aten::bmm";
  const bool is_sum = name == "aten::addmm" || name == "aten::baddbmm" || name == "ranktide::product";
  if (!is_plain && !is_sum) return nullptr;
  const auto factors = call.inputs().slice(is_plain ? 0 : 1, 2);
  const at::Tensor a = factors[0].toTensor(), b = factors[1].toTensor();
  seen_products().push_back(
      {.batch = a.dim() == 3 ? a.size(0) : 1, .rows = a.size(-2), .inner = a.size(-1), .columns = b.size(-1)});
  return nullptr;
}

// No two sizes that are told apart are the same. A segment of all tokens has two blocks of attention.
constexpr int64_t kTokens = 67, kLabels = 11, kWords = 71, kWidth = 24, kFfn = 40, kKvWidth = 8, kRank = 3;

ModelShape shape_of(int64_t layers) {
  return {.family = "llama",
          .vocabulary = kWords,
          .hidden = kWidth,
          .ffn = kFfn,
          .layers = layers,
          .heads = 6,
          .kv_heads = 2,
          .head_dim = 4,
          .norm_eps = 1e-5,
          .rope_theta = 100};
}

template <class Pass>
SeenProducts products_of(const Pass& pass) {
  start_engine(1);
  seen_products().clear();
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(see).needsInputs(true));
  pass();
  at::removeCallback(handle);
  return seen_products();
}

std::vector<int32_t> first_numbers(int64_t n) {
  std::vector<int32_t> numbers(static_cast<size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

const std::vector<int32_t> kTwoSegments{14, kTokens};

// Forward and backward, of adapters' inputs and attention weights of which a share is dropped.
SeenProducts products_of_training(int64_t layers, const Trained& trained,
                                  const std::vector<int32_t>& ends = kTwoSegments, double dropout = 0) {
  const ModelShape shape = shape_of(layers);
  const Network network = oracle::random_network(shape, at::kFloat, trained);
  const std::vector<int32_t> tokens = first_numbers(kTokens), labels = first_numbers(kLabels);
  Workspace memory;
  const Chance chance{.seed = 1, .step = 1, .lora_dropout = dropout, .attention_dropout = dropout};
  return products_of([&] {
    add_gradients(network, shape, {tokens, ends}, {labels, labels}, 1, chance, memory);
  });
}

// Without head.
SeenProducts products_of_forward(int64_t layers, const Trained& trained,
                                 const std::vector<int32_t>& ends = kTwoSegments) {
  const ModelShape shape = shape_of(layers);
  const Network network = oracle::random_network(shape, at::kFloat, trained);
  const std::vector<int32_t> tokens = first_numbers(kTokens);
  Workspace memory;
  return products_of([&] { residual_stream(network, shape, {tokens, ends}, memory); });
}

int64_t terms_of(const SeenProducts& products) {
  return std::accumulate(products.begin(), products.end(), int64_t{0},
                         [](int64_t sum, const SeenProduct& p) { return sum + p.terms(); });
}

// A weight's gradient sums over tokens, the head's over labels; an adapter's side is shorter than a weight's.
int64_t count_weight_gradients(const SeenProducts& products) {
  return std::count_if(products.begin(), products.end(), [](const SeenProduct& p) {
    return (p.inner == kTokens || p.inner == kLabels) && std::min(p.rows, p.columns) >= kKvWidth &&
           p.batch == 1;
  });
}

const Trained kQueriesAndValues{.all = false, .adapters = {"q_proj", "v_proj"}};

TEST(FrozenCost, AFrozenWeightHasNoGradientProduct) {
  EXPECT_EQ(count_weight_gradients(products_of_training(3, {.all = true})), 3 * 7 + 1);
  EXPECT_EQ(count_weight_gradients(products_of_training(3, kQueriesAndValues)), 0);
}

TEST(FrozenCost, LayersBelowTheLowestAdapterCostTheirForwardOnly) {
  Trained from_the_third = kQueriesAndValues;
  from_the_third.first_layer = 2;
  EXPECT_EQ(terms_of(products_of_training(3, from_the_third)),
            terms_of(products_of_forward(2, {})) + terms_of(products_of_training(1, kQueriesAndValues)));
}

// Of the layer that holds it, too: the gradient ends at the adapter, before the weight that it stands beside.
TEST(FrozenCost, NothingBelowTheLowestAdapterIsComputed) {
  const Trained last_down{.all = false, .adapters = {"down_proj"}, .first_layer = 2};
  const int64_t head = 2 * kLabels * kWidth * kWords;  // logits, and the gradient of their input
  const int64_t adapter = kTokens * kRank * (kWidth + kWidth + kFfn);  // dy B, dB, dA
  EXPECT_EQ(terms_of(products_of_training(3, last_down)),
            terms_of(products_of_forward(3, last_down)) + head + adapter);
}

TEST(FrozenCost, RowsWithoutALabelHaveNoHead) {
  SeenProducts of_head = products_of_training(2, kQueriesAndValues);
  std::erase_if(of_head, [](const SeenProduct& p) { return !p.has_side(kWords); });
  ASSERT_EQ(of_head.size(), 2U);
  for (const SeenProduct& p : of_head) EXPECT_EQ(p.rows, kLabels);
}

// Heads that are wider together than the stream, so that what o reads has a width of its own.
constexpr int64_t kHeadsWidth = 48;

int64_t& seen_widenings() {
  static int64_t seen = 0;
  return seen;
}

// Of (T, Hq hd) in bf16. A copy's arguments are (to, from, ...).
std::unique_ptr<at::ObserverContext> see_widening(const at::RecordFunction& call) {
  if (std::string_view(call.name()) != "aten::copy_") return nullptr;
  const at::Tensor to = call.inputs()[0].toTensor(), from = call.inputs()[1].toTensor();
  seen_widenings() += to.scalar_type() == at::kFloat && from.scalar_type() == at::kBFloat16 &&
                      from.sizes().equals({kTokens, kHeadsWidth});
  return nullptr;
}

int64_t widenings_of_training(int64_t layers, const Trained& trained) {
  ModelShape shape = shape_of(layers);
  shape.head_dim = kHeadsWidth / shape.heads;
  const Network network = oracle::random_network(shape, at::kBFloat16, trained);
  const std::vector<int32_t> tokens = first_numbers(kTokens), labels = first_numbers(kLabels);
  Workspace memory;
  start_engine(1);
  const bool before = multiply_bf16_as_it_is(false);
  seen_widenings() = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(see_widening).needsInputs(true));
  add_gradients(network, shape, {tokens, kTwoSegments}, {labels, labels}, 1, {}, memory);
  at::removeCallback(handle);
  multiply_bf16_as_it_is(before);
  return seen_widenings();
}

// Each forward pass reads it once, and the backward pass for the gradients of o alone.
TEST(FrozenCost, WhatOReadsIsNotWidenedAgainWhereOIsFrozen) {
  EXPECT_EQ(widenings_of_training(3, kQueriesAndValues), 3);
  EXPECT_EQ(widenings_of_training(3, {.all = false, .adapters = {"o_proj"}}), 6);
}

// (rows, inner, columns) -> how many.
using Tally = std::map<std::array<int64_t, 3>, int64_t>;

Tally tally_of(const SeenProducts& seen) {
  Tally tally;
  for (const SeenProduct& p : seen) tally[{p.rows, p.inner, p.columns}] += p.batch;
  return tally;
}

Tally tally_of(const PassWork& work) {
  std::map<std::array<int64_t, 3>, double> counts;
  for (const CountedProduct& p : work.products) counts[{p.m, p.k, p.n}] += p.count;
  Tally tally;
  for (const auto& [sizes, count] : counts)
    if (const auto n = std::llround(count); n > 0) tally[sizes] = n;
  return tally;
}

Tally predicted(const Trained& trained, bool is_training, double dropout) {
  TrialSettings settings;
  settings.model.dtype = Dtype::fp32;
  settings.method = trained.all ? Method::full : Method::lora;
  settings.train.attention_dropout = dropout;
  if (!trained.all) settings.lora = LoraSettings{.rank = kRank, .target = trained.adapters, .dropout = dropout};
  const StepLoad load{
      .tokens = kTokens, .sequence = kTokens, .labelled_share = is_training ? double{kLabels} / kTokens : 0};
  return tally_of((is_training ? training_work : eval_work)(settings, shape_of(3), load, Bf16::widened));
}

// What times are predicted from (common/model/step_work.h) is what the engine multiplies, product by product.
TEST(PredictedProducts, AreThoseOfTheEngine) {
  const std::vector<Trained> kinds{{.all = true},
                                   kQueriesAndValues,
                                   {.all = false, .adapters = {"gate_proj", "o_proj"}},
                                   {.all = false, .adapters = {"down_proj"}}};
  for (const double dropout : {0.0, 0.2}) {
    for (const Trained& trained : kinds) {
      EXPECT_EQ(predicted(trained, true, dropout),
                tally_of(products_of_training(3, trained, {kTokens}, dropout)));
      EXPECT_EQ(predicted(trained, false, dropout), tally_of(products_of_forward(3, trained, {kTokens})));
    }
  }
}

}  // namespace
}  // namespace ranktide
