// What a pass is planned to hold is what it holds: the formulas of common/model/cost against the arenas.

#include <gtest/gtest.h>
#include <numeric>

#include "common/model/cost.h"
#include "tests/worker/trainer/lm/random_network.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

// Large enough that what the formulas leave out is the little that they say it is.
ModelShape shape_of(bool qk_norm) {
  return {.family = qk_norm ? "qwen3" : "llama",
          .vocabulary = 4096,
          .hidden = 256,
          .ffn = 768,
          .layers = 4,
          .heads = 8,
          .kv_heads = 4,
          .head_dim = 32,
          .norm_eps = 1e-5,
          .rope_theta = 10000,
          .qk_norm = qk_norm};
}

TrialSettings settings_of(Dtype dtype, Method method) {
  TrialSettings settings;
  settings.model.dtype = dtype;
  settings.method = method;
  if (method == Method::lora)
    settings.lora = LoraSettings{.rank = 3, .target = {"q_proj", "v_proj", "up_proj"}};
  return settings;
}

// Two rows of 512 tokens, each token but the last with a label. Returns: what the arenas held at most.
PassBytes held_by(const TrialSettings& settings, const ModelShape& shape) {
  constexpr int32_t kRow = 512;
  std::vector<int32_t> tokens(2 * kRow), rows(2 * kRow - 1), targets(2 * kRow - 1, 7);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * i % 4093);
  std::iota(rows.begin(), rows.end(), 0);
  const oracle::Trained trained{.all = settings.method == Method::full,
                                .adapters = settings.lora ? settings.lora->target : std::vector<std::string>{}};
  const Network network = oracle::random_network(shape, scalar_type_of(settings.model.dtype), trained);
  Workspace memory;
  add_gradients(network, shape, {tokens, std::vector<int32_t>{kRow, 2 * kRow}}, {rows, targets}, 1e-3, {},
                memory);
  return {.kept = static_cast<double>(memory.kept.most_used_bytes()),
          .scratch = static_cast<double>(memory.scratch.most_used_bytes())};
}

void expect_planned(bool qk_norm, Dtype dtype, Method method) {
  const TrialSettings settings = settings_of(dtype, method);
  const PassBytes planned = pass_bytes(settings, shape_of(qk_norm), {.tokens = 1024, .sequence = 512});
  const PassBytes held = held_by(settings, shape_of(qk_norm));
  EXPECT_NEAR(held.kept / planned.kept, 1, 0.05);  // the stream after the last of few layers
  EXPECT_NEAR(held.scratch / planned.scratch, 1, 0.25);
}

TEST(PassBytes, AreWhatAPassHolds) {
  expect_planned(false, Dtype::fp32, Method::lora);
  expect_planned(false, Dtype::bf16, Method::full);
}

TEST(PassBytes, CountTheInputsOfHeadNorms) {
  expect_planned(true, Dtype::bf16, Method::lora);
  expect_planned(true, Dtype::fp32, Method::full);
}

}  // namespace
}  // namespace ranktide
