#include "common/sweep/warm_start.h"

#include <gmock/gmock.h>

#include "common/sweep/spec_union.h"
#include "common/sweep/trunk.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kSource(64, 'a');

// A trial of kLora's shape, as the coordinator knows it.
SourceInput lora_source() {
  return {
      .trial = TrialId(kSource),
      .stage = StageId("s0"),
      .step = 12,
      .base = BaseId("b0"),
      .tokenizer_sha256 = "t0",
      .dtype = Dtype::bf16,
      .method = Method::lora,
      .lora = LoraSettings{.rank = 8, .alpha = 16, .target = trials_of(sweep(kLora))[0].settings.lora->target}};
}
SourceInput full_source() {
  SourceInput out = lora_source();
  out.method = Method::full;
  out.lora.reset();
  return out;
}

SweepSpec with_source(SweepSpec spec, const SourceInput& source = lora_source()) {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const auto& model : wanted.models)
    spec.inputs.models[model_key(model)] = {.path = model.path, .base = BaseId("b0"), .tokenizer_sha256 = "t0"};
  for (const auto& data : wanted.data)
    spec.inputs.data[data_key(data.data, "t0")] = {.sha256 = "d0", .documents = 5, .tokens = 500, .rows = 5};
  for (const auto& from : wanted.sources) spec.inputs.sources[from] = source;
  return spec;
}

std::string refusal(const std::string& text, const SourceInput& source = lora_source()) {
  return error_of([&] { trials_of(with_source(sweep(text), source)); });
}

TEST(WarmStart, IsWrittenAsATrialAndOptionallyAStep) {
  EXPECT_EQ(source_name_of("trial:a3f9")->id, "a3f9");
  EXPECT_EQ(source_name_of("trial:a3f9")->step, std::nullopt);
  EXPECT_EQ(source_name_of("trial:a3f9@1500")->step, 1500);
  EXPECT_EQ(source_name_of("trial:" + kSource)->id, kSource);
  for (const char* wrong : {"a3f9", "trial:", "trial:A3", "trial:xyz", "trial:a3@", "trial:a3@0", "trial:a3@07",
                            "trial:a3@-1", "trial:a3@1e3", "trial:a3@end", "trial:a3@1@2", "run:a3"})
    EXPECT_EQ(source_name_of(wrong), std::nullopt) << wrong;
  EXPECT_EQ(source_name_of("trial:" + kSource + "a"), std::nullopt) << "an id has 64 digits";
}

TEST(WarmStart, IsPartOfTheIdWhateverPrefixFoundIt) {
  const auto id = [](const std::string& from) {
    return trials_of(with_source(sweep(kLora + "model.from: " + from + "\n")))[0].id;
  };
  EXPECT_EQ(id("trial:aa"), id("trial:" + kSource));
  EXPECT_EQ(id("trial:aa"), id("trial:a@12"));
  EXPECT_NE(id("trial:aa"), trials_of(with_source(sweep(kLora)))[0].id);
  const SweepTrial trial = trials_of(with_source(sweep(kLora + "model.from: trial:aa\n")))[0];
  EXPECT_EQ(trial.settings.model.from, "trial:" + kSource + "@12");
  EXPECT_EQ(trial.start->trial, TrialId(kSource));
  EXPECT_EQ(trial.start->step, 12);
  EXPECT_FALSE(trial.provisional);
  EXPECT_EQ(trial.id.brief(), "16d3bcba9466") << "frozen, as those of identity_test.cpp";
}

// The spec's hash tells equal submissions apart: it must not change for those that name no source.
TEST(WarmStart, LeavesNoTraceWhereNobodyStartsWarm) {
  const SweepSpec spec = with_source(sweep(kLora));
  EXPECT_FALSE(to_json(spec).at("inputs").contains("sources"));
  const SweepTrial trial = trials_of(spec)[0];
  EXPECT_FALSE(to_json(trial).contains("start"));
  EXPECT_FALSE(to_json(trial).at("settings").at("model").contains("from"));
  EXPECT_FALSE(trial.start.has_value());
  EXPECT_EQ(pack(trial.settings.model), pack(from_json<ModelSettings>(to_json(trial.settings.model))));
}

TEST(WarmStart, TravelsWithSpecTrialAndStage) {
  const SweepSpec spec = with_source(sweep(kLora + "model.from: trial:aa\n"), full_source());
  const SweepSpec sent = from_json<SweepSpec>(to_json(spec));
  EXPECT_EQ(ids_of(sent), ids_of(spec));
  const SweepTrial trial = trials_of(sent)[0];
  const auto again = unpack<SweepTrial>(pack(trial));
  EXPECT_TRUE(equal(again, trial));
  EXPECT_EQ(again.start->weights, TrialId(kSource));
}

TEST(WarmStart, IsProvisionalWhileTheSourceIsUnread) {
  SweepSpec spec = with_source(sweep(kLora + "model.from: trial:aa\n"));
  spec.inputs.sources.clear();
  const SweepTrial trial = trials_of(spec)[0];
  EXPECT_TRUE(trial.provisional);
  EXPECT_FALSE(trial.start.has_value());
}

TEST(WarmStart, IsAnAxisLikeAnyOther) {
  const SweepSpec spec =
      sweep(kLora + "axes: {model.from: [\"trial:aa\", \"trial:bb\"], train.batch: [2, 4]}\n");
  EXPECT_THAT(wanted_inputs(spec).sources, ElementsAre("trial:aa", "trial:bb"));
  SweepSpec both = with_source(spec);
  EXPECT_EQ(trials_of(both).size(), 2U) << "both names are of one trial";
  both.inputs.sources["trial:bb"].trial = TrialId(std::string(64, 'b'));
  EXPECT_EQ(trials_of(both).size(), 4U);
  EXPECT_EQ(trial_count(both, Grid(both).counts()), 4);
  const SweepSpec blocks = with_source(sweep(kLora + "blocks:\n  cold: {}\n  warm: {model.from: trial:aa}\n"));
  EXPECT_EQ(ids_of(blocks).size(), 2U);
}

TEST(WarmStart, OfTheConstantIsReadWhereItsAxisHasNoValue) {
  const SweepSpec spec = sweep(kLora + R"(model.from: trial:aa
axes:
  train.lr: [1e-4, 1e-5]
  model.from: {values: ["trial:bb", "trial:cc"], when: train.lr > 5e-5}
)");
  EXPECT_THAT(wanted_inputs(spec).sources, ElementsAre("trial:aa", "trial:bb", "trial:cc"));
  for (const SweepTrial& trial : trials_of(with_source(spec))) EXPECT_FALSE(trial.provisional) << trial.index;
}

// Each axis has a value in the one cell, and the constant stands in the other.
TEST(WarmStart, OfAnIncludedCellIsReadAsItsConditionsTurnOutThere) {
  const SweepSpec spec = sweep(kLora + R"(model.from: trial:aa
axes:
  train.lr: [1e-4]
  model.from: {values: ["trial:bb"], when: train.lr > 5e-5}
include:
  - {train.lr: 1e-5}
  - {train.lr: 1e-3, model.from: "trial:dd"}
)");
  EXPECT_THAT(wanted_inputs(spec).sources, testing::IsSupersetOf({"trial:aa", "trial:bb", "trial:dd"}));
  const auto trials = trials_of(with_source(spec));
  EXPECT_EQ(trials.size(), 3U);
  for (const SweepTrial& trial : trials) EXPECT_FALSE(trial.provisional) << trial.index;
}

// 2^30 ways in which the conditions may turn out, and two cells.
TEST(WarmStart, OfManyConditionsIsFoundInTheCellsThereAre) {
  SweepSpec spec = sweep(kLora + "model.from: trial:aa\naxes: {train.lr: [1e-4, 1e-5]}\n");
  for (int i = 0; i < 30; ++i)
    spec.blocks[0].axes.push_back({.name = "a" + std::to_string(i),
                                   .points = {{.label = "b", .set = {{kSourceKey, "trial:bb"}}}},
                                   .when = "train.lr > 5e-5"});
  EXPECT_THAT(wanted_inputs(spec).sources, ElementsAre("trial:aa", "trial:bb"));
}

TEST(WarmStart, OfAnAdapterGoesOnWithItsShape) {
  const std::string warm = "model.from: trial:aa\n";
  EXPECT_EQ(refusal(kLora + warm), "no error");
  EXPECT_EQ(refusal(kLora + warm + "lora.dropout: 0.1\nseeds: [5]\n"), "no error") << "what does not shape it";
  EXPECT_THAT(
      refusal(kHead + "method: lora\nlora.rank: 4\n" + warm),
      HasSubstr("model.from: trial:aa left an adapter of another shape; write lora.rank: 8, lora.alpha: 16"));
  EXPECT_THAT(refusal(kLora + warm + "lora.target: attn\n"),
              HasSubstr("write lora.target: down_proj+gate_proj+k_proj+o_proj+q_proj+up_proj+v_proj"));
  EXPECT_THAT(refusal(kLora + warm + "lora.scaling: alpha/sqrt(r)\n"),
              HasSubstr("write lora.scaling: alpha/r"));
  EXPECT_THAT(refusal(kHead + "method: full\n" + warm),
              HasSubstr("left an adapter, and full finetuning starts from full weights"));
}

TEST(WarmStart, OfFullWeightsMayTrainEither) {
  const std::string warm = "model.from: trial:aa\n";
  EXPECT_EQ(refusal(kLora + warm, full_source()), "no error");
  EXPECT_EQ(refusal(kHead + "method: full\n" + warm, full_source()), "no error");
  const SweepTrial lora = trials_of(with_source(sweep(kLora + warm), full_source()))[0];
  EXPECT_EQ(lora.start->weights, TrialId(kSource)) << "the adapter lies on them";
  SourceInput second = lora_source();
  second.weights = TrialId("w0");
  EXPECT_EQ(trials_of(with_source(sweep(kLora + warm), second))[0].start->weights, TrialId("w0"))
      << "and so does what goes on with it";
}

TEST(WarmStart, RefusesWhatItsSourceWasNot) {
  const std::string warm = kLora + "model.from: trial:aa\n";
  EXPECT_THAT(refusal(kLora + "model.from: trial:aa@5\n"),
              HasSubstr("block all: model.from: trial:aa@5 names a step whose weights are not kept: a trial "
                        "leaves those of its last step, 12; write @12, or no step"));
  SourceInput other = lora_source();
  other.base = BaseId("b1");
  EXPECT_THAT(refusal(warm, other), HasSubstr("was trained from base b1, and /sweeps/m is base b0"));
  other = lora_source();
  other.tokenizer_sha256 = "t1";
  EXPECT_THAT(refusal(warm, other), HasSubstr("was trained with another tokenizer"));
  EXPECT_THAT(refusal(warm + "model.dtype: fp32\n"), HasSubstr("write model.dtype: bf16"));
}

TEST(WarmStart, IsCheckedInEveryCellThatIsCounted) {
  const SweepSpec spec = with_source(sweep(kLora + "model.from: trial:aa\naxes: {lora.alpha: [16, 32]}\n"));
  EXPECT_THAT(error_of([&] { Grid(spec).counts(); }), HasSubstr("another shape; write lora.alpha: 16"));
}

TEST(WarmStart, TrunksAreOfOneSource) {
  const std::string budgets =
      kHead + "method: lora\nlora.rank: 8\nmodel.from: trial:aa\ntrain.schedule: constant\ntrain.warmup: 0\n";
  std::string text = budgets;
  text.replace(text.find("budget: {steps: 4}\n"), 19, "");
  text += "axes: {budget.steps: [4, 8]}\n";
  const SweepSpec warm = with_source(sweep(text));
  std::string cold = text;
  cold.replace(cold.find("model.from: trial:aa\n"), 21, "");
  const auto place = [](const SweepSpec& spec) {
    const Grid grid(spec);
    return branches_of(trials_beside(grid, *grid.at(0))).at(0).place.trunk;
  };
  EXPECT_NE(place(warm), place(with_source(sweep(cold))));
}

TEST(WarmStart, OfAnotherTrialUnderTheSameNameIsNotExtended) {
  const std::string text = kLora + "model.from: trial:aa\n";
  const SweepSpec old = with_source(sweep(text));
  SweepSpec now = with_source(sweep(text));
  EXPECT_EQ(ids_of(extended(old, now)), ids_of(old));
  now.inputs.sources["trial:aa"].trial = TrialId(std::string(64, 'c'));
  EXPECT_THAT(error_of([&] { extended(old, now); }), HasSubstr("trial:aa has other content"));
}

}  // namespace
}  // namespace ranktide
