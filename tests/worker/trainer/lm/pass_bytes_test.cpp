// What a pass is planned to hold is what it holds: the formulas of common/model/pass_bytes against the arenas.

#include "common/model/pass_bytes.h"

#include <gtest/gtest.h>
#include <numeric>

#include "common/vocabulary/wire.h"
#include "tests/worker/trainer/lm/random_network.h"
#include "worker/trainer/lm/by_rows.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

constexpr int32_t kRow = 128;  // tokens; a pass has two of these

// Large enough that what the formulas leave out is the little that they say it is. A small vocabulary, so that
// the backward pass of a block holds the most.
ModelShape shape_with(int64_t vocabulary, int64_t ffn) {
  return {.family = "llama",
          .vocabulary = vocabulary,
          .hidden = 128,
          .ffn = ffn,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .head_dim = 32,
          .norm_eps = 1e-5,
          .rope_theta = 10000};
}

// The feed-forward block holds more than attention, or less.
const ModelShape kWide = shape_with(512, 768), kNarrow = shape_with(512, 128);
const ModelShape kManyWords = shape_with(8192, 128);

ModelShape with_head_norms(ModelShape shape) {
  shape.family = "qwen3";
  shape.qk_norm = true;
  return shape;
}

struct Case {
  TrialSettings settings;
  ModelShape shape = kWide;
  Bf16 bf16 = Bf16::widened;
  DeviceClass device = DeviceClass::cpu;
  double labelled_share = 1;
};

TrialSettings full(Dtype dtype) {
  TrialSettings settings;
  settings.model.dtype = dtype;
  settings.method = Method::full;
  return settings;
}

// Of rank 3, as random networks have them.
TrialSettings adapted(Dtype dtype, std::vector<std::string> target = {"q_proj", "v_proj", "up_proj"},
                      double dropout = 0) {
  TrialSettings settings;
  settings.model.dtype = dtype;
  settings.lora = LoraSettings{.rank = 3, .target = std::move(target), .dropout = dropout};
  return settings;
}

// While it lives, the CPU computes as the case says.
class ComputedAs {
 public:
  explicit ComputedAs(const Case& of)
      : multiplied_(multiply_bf16_as_it_is(of.bf16 == Bf16::as_it_is)),
        by_rows_(compute_by_rows(of.device == DeviceClass::cpu)) {}
  ~ComputedAs() {
    multiply_bf16_as_it_is(multiplied_);
    compute_by_rows(by_rows_);
  }
  ComputedAs(const ComputedAs&) = delete;
  ComputedAs& operator=(const ComputedAs&) = delete;

 private:
  bool multiplied_, by_rows_;
};

// Returns: what the arenas held at most.
PassBytes held_by(const Case& of) {
  const ComputedAs computed(of);
  std::vector<int32_t> tokens(2 * kRow);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * i % 509);
  std::vector<int32_t> rows(static_cast<size_t>(of.labelled_share * 2 * kRow)), targets(rows.size(), 7);
  std::iota(rows.begin(), rows.end(), 0);
  const TrialSettings& settings = of.settings;
  const oracle::Trained trained{.all = settings.method == Method::full,
                                .adapters = settings.lora ? settings.lora->target : std::vector<std::string>{}};
  const Network network = oracle::random_network(of.shape, scalar_type_of(settings.model.dtype), trained);
  Workspace memory;
  add_gradients(network, of.shape, {tokens, std::vector<int32_t>{kRow, 2 * kRow}}, {rows, targets}, 1e-3,
                chance_of(settings, 1), memory);
  return {.kept = static_cast<double>(memory.kept.most_used_bytes()),
          .scratch = static_cast<double>(memory.scratch.most_used_bytes())};
}

void expect_planned(const Case& of) {
  const StepLoad load{.tokens = 2 * kRow, .sequence = kRow, .labelled_share = of.labelled_share};
  const PassBytes planned = pass_bytes(of.settings, of.shape, load, of.bf16, of.device);
  const PassBytes held = held_by(of);
  EXPECT_NEAR(held.kept / planned.kept, 1, 0.02);
  EXPECT_NEAR(held.scratch / planned.scratch, 1, 0.02);
}

TEST(PassBytes, AreWhatAPassHolds) {
  for (const ModelShape& shape : {kWide, kNarrow}) {
    for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
      SCOPED_TRACE(testing::Message() << "ffn " << shape.ffn << ", " << text_of(dtype));
      expect_planned({.settings = adapted(dtype), .shape = shape});
      expect_planned({.settings = full(dtype), .shape = shape});
    }
  }
}

TEST(PassBytes, CountTheInputsOfHeadNorms) {
  ModelShape shape = with_head_norms(kNarrow);
  shape.head_dim = 64;  // heads are wider together than the stream, so that their norms hold the most
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    expect_planned({.settings = adapted(dtype), .shape = shape});
    expect_planned({.settings = full(dtype), .shape = shape});
  }
}

TEST(PassBytes, CountDropout) {
  for (const char* target : {"up_proj", "down_proj", "o_proj", "q_proj"}) {
    for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
      SCOPED_TRACE(testing::Message() << target << ", " << text_of(dtype));
      expect_planned({.settings = adapted(dtype, {target}, 0.1)});
      expect_planned({.settings = adapted(dtype, {target}, 0.1), .shape = kNarrow});
    }
  }
  Case attention{.settings = full(Dtype::fp32), .shape = kNarrow};
  attention.settings.train.attention_dropout = 0.1;
  expect_planned(attention);
}

TEST(PassBytes, CountAnAdapterOfDown) {
  expect_planned({.settings = adapted(Dtype::fp32, {"down_proj"})});
  expect_planned({.settings = adapted(Dtype::bf16, {"down_proj"})});
}

TEST(PassBytes, CountRoundedFactorsOfBf16AsItIs) {
  for (const ModelShape& shape : {kWide, kNarrow}) {
    SCOPED_TRACE(shape.ffn);
    const auto expect = [&](const TrialSettings& settings) {
      expect_planned({.settings = settings, .shape = shape, .bf16 = Bf16::as_it_is});
    };
    expect(full(Dtype::bf16));
    expect(adapted(Dtype::bf16));
    expect(adapted(Dtype::bf16, {"down_proj"}));
    expect(adapted(Dtype::bf16, {"down_proj"}, 0.1));
    expect(adapted(Dtype::bf16, {"q_proj", "up_proj"}, 0.1));
  }
}

// LibTorch's operations on the CPU hold what they hold on a device.
TEST(PassBytes, CountWhatNormsHoldOnADevice) {
  for (const ModelShape& shape : {kWide, with_head_norms(kNarrow)}) {
    for (const TrialSettings& settings :
         {adapted(Dtype::fp32), full(Dtype::fp32), adapted(Dtype::bf16), full(Dtype::bf16)}) {
      SCOPED_TRACE(testing::Message() << "ffn " << shape.ffn << ", " << text_of(settings.method) << " "
                                      << text_of(settings.model.dtype));
      expect_planned(
          {.settings = settings, .shape = shape, .bf16 = Bf16::as_it_is, .device = DeviceClass::gpu});
    }
  }
}

TEST(PassBytes, CountTheLossWhereItHoldsTheMost) {
  for (const double labelled_share : {1.0, 0.5}) {
    SCOPED_TRACE(labelled_share);
    const auto expect = [&](const TrialSettings& settings, Bf16 bf16) {
      expect_planned(
          {.settings = settings, .shape = kManyWords, .bf16 = bf16, .labelled_share = labelled_share});
    };
    expect(adapted(Dtype::fp32), Bf16::widened);
    expect(adapted(Dtype::bf16), Bf16::widened);
    expect(adapted(Dtype::bf16), Bf16::as_it_is);
    expect(full(Dtype::bf16), Bf16::as_it_is);
  }
}

}  // namespace
}  // namespace ranktide
