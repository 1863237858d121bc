// The engine's loss and every gradient against LibTorch's autograd on the plain formulas, for random models of
// each family: in fp64, where only a wrong formula can differ, in fp32 and in bf16.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>
#include <utility>

#include "tests/worker/trainer/lm/random_network.h"
#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

using at::Tensor;
using oracle::Trained;

ModelShape small(const std::string& family) {
  return {.family = family,
          .vocabulary = 53,
          .hidden = 24,
          .ffn = 40,
          .layers = 3,
          .heads = 6,
          .kv_heads = 2,
          .head_dim = 4,
          .norm_eps = 1e-5,
          .rope_theta = 100};
}

// What each family does differently, and what no family does yet but the settings of a shape allow.
std::vector<ModelShape> families() {
  ModelShape llama = small("llama"), llama3 = small("llama"), qwen2 = small("qwen2"), qwen3 = small("qwen3"),
             biased = small("llama"), one_group = small("llama");
  llama.tied_head = true;
  llama3.llama3_rope =
      Llama3Rope{.factor = 4, .low_freq_factor = 1, .high_freq_factor = 4, .original_context = 32};
  qwen2.qkv_bias = qwen2.tied_head = true;
  qwen3.qk_norm = true;
  qwen3.head_dim = 8;  // heads x head_dim is not the hidden size
  biased.qkv_bias = biased.o_bias = biased.mlp_bias = true;
  biased.kv_heads = 6;  // no grouped queries
  one_group.kv_heads = 1;
  return {llama, llama3, qwen2, qwen3, biased, one_group};
}

// Segments shorter and longer than a block of attention, some of equal length; labels in more than one chunk of
// the loss, and rows without one.
struct Text {
  std::vector<int32_t> tokens, ends, rows, targets;
  explicit Text(std::vector<int32_t> segment_ends = {5, 10, 11, 81, 211, 341}) : ends(std::move(segment_ends)) {
    for (int32_t i = 0; i < ends.back(); ++i) {
      tokens.push_back((i * i + 3 * i) % 53);
      if (i % 7 == 2) continue;
      rows.push_back(i);
      targets.push_back((i * 5 + 1) % 53);
    }
  }
  Packed input() const { return {tokens, ends}; }
  Labels labels() const { return {rows, targets}; }
};

constexpr double kScale = 1.0 / 300;

double relative_difference(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b).norm().item<double>() / (b.norm().item<double>() + 1e-12);
}

void expect_gradients(const ModelShape& shape, at::ScalarType dtype, const Trained& trained, double dropout,
                      double tolerance, const Text& text = Text{}) {
  Network network = oracle::random_network(shape, dtype, trained);
  Network leaves = oracle::leaves_of(network, shape);
  const Chance chance{
      .seed = 3, .step = 5, .first_token = 17, .lora_dropout = dropout, .attention_dropout = dropout};
  Workspace memory;
  const double loss =
      add_gradients(network, shape, text.input(), text.labels(), kScale, chance, memory).item<double>();
  const Rotation turns = rotation(shape, oracle::positions_of(text.ends), at::kDouble);
  Tensor plain = oracle::loss_of(leaves, shape, turns, text.input(), text.labels(), kScale, chance);
  plain.backward();
  EXPECT_NEAR(loss, plain.item<double>(), tolerance * plain.item<double>());
  std::vector<Tensor> expected;
  oracle::for_each_weight(leaves, shape,
                          [&](const std::string&, Weight& w) { expected.push_back(w.value.grad()); });
  size_t i = 0;
  oracle::for_each_weight(network, shape, [&](const std::string& name, Weight& weight) {
    const Tensor& gradient = expected[i++];
    ASSERT_EQ(weight.trains(), gradient.defined()) << name;
    if (!weight.trains()) return;
    EXPECT_LT(relative_difference(weight.grad, gradient), tolerance) << name;
  });
}

const std::vector<std::string> kAll{"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                    "gate_proj", "up_proj", "down_proj"};

const std::vector<Trained> kMethods{{.all = true},
                                    {.adapters = kAll},
                                    {.adapters = kAll, .rank = 1},
                                    {.adapters = {"q_proj", "v_proj"}},
                                    {.adapters = {"o_proj"}, .first_layer = 1},
                                    {.adapters = {"up_proj"}, .first_layer = 1},
                                    {.adapters = {"down_proj"}, .first_layer = 2}};

class Gradients : public testing::TestWithParam<size_t> {
 protected:
  Gradients() { start_engine(1); }
  ModelShape shape() const { return families()[GetParam()]; }
};

TEST_P(Gradients, EqualAutogradsInFp64) {
  for (const Trained& trained : kMethods) expect_gradients(shape(), at::kDouble, trained, 0, 1e-10);
}

TEST_P(Gradients, EqualAutogradsInFp64UnderDropout) {
  for (const Trained& trained : kMethods) expect_gradients(shape(), at::kDouble, trained, 0.2, 1e-10);
}

// As another device computes, without the processor's own loops.
TEST_P(Gradients, EqualAutogradsInFp64ByLibTorchsOperations) {
  const bool before = compute_by_rows(false);
  for (const double dropout : {0.0, 0.2})
    for (const Trained& trained : {kMethods[0], kMethods[1]})
      expect_gradients(shape(), at::kDouble, trained, dropout, 1e-10);
  compute_by_rows(before);
}

TEST_P(Gradients, StayNearInFp32) {
  for (const double dropout : {0.0, 0.2})
    for (const Trained& trained : kMethods) expect_gradients(shape(), at::kFloat, trained, dropout, 2e-5);
}

// A row of more keys than exponentials are summed of at once, beside a short one.
TEST(Gradients, EqualAutogradsOfARowOfMoreThanAThousandTokens) {
  start_engine(1);
  ModelShape shape = small("llama");
  shape.layers = 1;
  shape.heads = 2;
  shape.kv_heads = 1;
  const Text text({1100, 1107});
  for (const double dropout : {0.0, 0.2}) {
    expect_gradients(shape, at::kDouble, {.all = true}, dropout, 1e-10, text);
    expect_gradients(shape, at::kFloat, {.all = true}, dropout, 2e-5, text);
  }
}

// Strides do not tell which way a matrix of one column lies. In fp64, for the sums that make a single number
// cancel at will.
TEST(Gradients, EqualAutogradsOfLinearsOfOneColumn) {
  start_engine(1);
  ModelShape shape = small("llama");
  shape.kv_heads = shape.ffn = 1;
  for (const bool by_rows : {true, false}) {
    const bool before = compute_by_rows(by_rows);
    for (const double dropout : {0.0, 0.2})
      for (const Trained& trained : kMethods) expect_gradients(shape, at::kDouble, trained, dropout, 1e-9);
    compute_by_rows(before);
  }
}

// Every activation and factor is rounded to 8 bits; a wrong formula would be off by its whole size.
TEST_P(Gradients, StayNearInBf16) {
  const bool before = multiply_bf16_as_it_is(true);
  for (const bool as_it_is : {true, false}) {
    multiply_bf16_as_it_is(as_it_is);
    for (const double dropout : {0.0, 0.2})
      for (const Trained& trained : {kMethods[0], kMethods[1]})
        expect_gradients(shape(), at::kBFloat16, trained, dropout, 0.15);
  }
  multiply_bf16_as_it_is(before);
}

// The engine takes its angles in fp32, as the field does: a position's error grows with it.
TEST_P(Gradients, TurnHeadsByTheAnglesOfTheFormula) {
  const Text text;
  const Rotation expected = oracle::rotation_of(shape(), text.ends);
  const Rotation turns = rotation(shape(), oracle::positions_of(text.ends), at::kDouble);
  EXPECT_LT((turns.cos - expected.cos).abs().max().item<double>(), 1e-4);
  EXPECT_LT((turns.sin - expected.sin).abs().max().item<double>(), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Families, Gradients, testing::Range(size_t{0}, families().size()));

// Two passes add up, and memory that an earlier pass of another shape left behind changes no bit.
TEST(Gradients, AddUpOverPassesBitForBit) {
  start_engine(1);
  const ModelShape shape = families()[3];
  const Network network = oracle::random_network(shape, at::kFloat, {.all = true});
  const Text text;
  const Tensor& grad = network.layers[0].q.w.grad;
  Workspace memory;
  const auto pass = [&] {
    grad.zero_();
    const Tensor loss = add_gradients(network, shape, text.input(), text.labels(), kScale, {}, memory);
    return std::pair(loss.item<double>(), grad.clone());
  };
  const auto first = pass();
  const std::vector<int32_t> other{7, 8, 9}, end{3}, row{1}, target{4};
  add_gradients(network, shape, {other, end}, {row, target}, kScale, {}, memory);
  const auto again = pass();
  EXPECT_EQ(first.first, again.first);
  EXPECT_TRUE(at::equal(first.second, again.second));
  add_gradients(network, shape, text.input(), text.labels(), kScale, {}, memory);
  EXPECT_LT(relative_difference(grad, 2 * first.second), 1e-6);
}

}  // namespace
}  // namespace ranktide
