#include "common/sweep/identity.h"

#include <gtest/gtest.h>

#include "common/sweep/trial_values.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

SweepSpec known(SweepSpec spec) {
  for (const auto& model : wanted_inputs(spec).models)
    spec.inputs.models[model_key(model)] = {.path = model.path, .base = BaseId("b0"), .tokenizer_sha256 = "t0"};
  for (const auto& wanted : wanted_inputs(spec).data)
    spec.inputs.data[data_key(wanted.data, "t0")] = {.sha256 = "d0", .documents = 5, .tokens = 500, .rows = 5};
  for (const auto& file : wanted_inputs(spec).files) spec.inputs.files[file] = "f0";
  return spec;
}

// The corpus: these ids name results that people keep. A change here is a change of every user's ids.
TEST(Identity, IdsOfTheFrozenCorpusNeverChange) {
  const auto id = [](const std::string& text) { return trials_of(known(sweep(text)))[0].id.brief(); };
  EXPECT_EQ(id(kLora), "de565ee6c8ee");
  EXPECT_EQ(id(kHead + "method: full\n"), "b1cce90cd9df");
  EXPECT_EQ(
      id(kLora + "seeds: [7]\nmodel.dtype: fp32\nlora.target: q_proj+v_proj\nlora.scaling: alpha/sqrt(r)\n"),
      "eb566c50d20b");
  EXPECT_EQ(id(kLora + "train.schedule: wsd\ntrain.warmup: 2\ntrain.weight_decay: 0.1\ndata.max_tokens: 2k\n"),
            "fa6fa4d7010b");
  EXPECT_EQ(id(kLora + "data.fields: {prompt: q, completion: a}\ndata.replay: {path: r.txt, share: 5%}\n"),
            "1a0343fb187d");
}

TEST(Identity, NamesPolicyAndEvalsAreInNoId) {
  const auto ids = ids_of(known(sweep(kLora)));
  EXPECT_EQ(ids, ids_of(known(sweep(kLora + "run: {priority: 3, keep: weights}\neval.at: [2]\n"))));
  EXPECT_EQ(ids, ids_of(known(sweep(kLora + "eval.learn: {x: {data: x.txt}}\n"))));
  EXPECT_EQ(ids, ids_of(known(sweep(kLora, {"name=other"}))));
  EXPECT_EQ(ids, ids_of(known(sweep(kLora + "run.needs: {memory: 6GiB, labels: [a100], gpus: 1}\n"))));
}

TEST(Identity, TheShapeOfAModelIsInNoId) {
  SweepSpec shaped = known(sweep(kLora));
  for (auto& [key, model] : shaped.inputs.models) model.shape = ModelShape{.family = "llama", .layers = 22};
  EXPECT_EQ(ids_of(shaped), ids_of(known(sweep(kLora))));
}

TEST(Identity, HowManyLabelsDataHasIsInNoIdAndUnsaidUnlessCounted) {
  SweepSpec counted = known(sweep(kLora));
  for (auto& [key, data] : counted.inputs.data) data.labels = 100;
  EXPECT_EQ(ids_of(counted), ids_of(known(sweep(kLora))));
  const DataInput before = known(sweep(kLora)).inputs.data.begin()->second;
  EXPECT_FALSE(to_json(before).contains("labels"));
  EXPECT_EQ(from_json<DataInput>(to_json(counted.inputs.data.begin()->second)).labels, 100);
}

TEST(Identity, ACellIsItsTrialsWithoutTheSeed) {
  const auto trials = trials_of(known(sweep(kLora + "seeds: 2\n")));
  EXPECT_EQ(trials[0].cell, trials[1].cell);
  EXPECT_NE(trials[0].id, trials[1].id);
  EXPECT_NE(trials[0].stage, trials[1].stage);
}

TEST(Identity, AnEvalIsKnownByContentAndHow) {
  EvalSpec spec{.data = "/a.txt", .data_sha256 = "h", .form = "auto", .fields = {}};
  EvalSpec moved = spec;
  moved.data = "/b.txt";
  EXPECT_EQ(eval_spec_id(spec), eval_spec_id(moved));
  moved.norm = EvalNorm::bytes;  // a loss has no choice to normalise
  EXPECT_EQ(eval_spec_id(spec), eval_spec_id(moved));
  moved.kind = EvalKind::choice;
  EXPECT_NE(eval_spec_id(spec), eval_spec_id(moved));
  EXPECT_NE(eval_id(BaseId("x"), "s"), eval_id(StageId("x"), 0, "s"));
}

TEST(Identity, AnEvalIsReadAsItsNameSaysWhereItsContentSaysAnotherKind) {
  SweepSpec spec = known(sweep(kLora + "eval.learn: {x: {data: x.txt}}\n"));
  const SweepTrial before = trials_of(spec)[0];
  EXPECT_EQ(before.evals.at(0).spec_id, eval_spec_id(before.evals.at(0).spec));
  spec.inputs.read_as[before.evals.at(0).spec.data] = "text";
  const SweepTrial after = trials_of(from_json<SweepSpec>(to_json(spec)))[0];
  EXPECT_NE(after.evals.at(0).spec_id, before.evals.at(0).spec_id);
  EXPECT_EQ(after.id, before.id);
}

// Evals of the base are known by its content alone, as they were from the first version on.
TEST(Identity, ABaseIsAnotherOneOnlyWhereModelTokenizerIsSet) {
  const SweepTrial own = trials_of(known(sweep(kLora)))[0];
  EXPECT_EQ(base_subject(own), BaseId("b0"));
  EXPECT_EQ(eval_id(base_subject(own), "s").brief(), "6689b4d60935");
  const SweepTrial read = trials_of(known(sweep(kLora + "model.tokenizer: other\n")))[0];
  EXPECT_NE(base_subject(read), own.base);
  EXPECT_EQ(base_subject(read), base_read_by(BaseId("b0"), "t0"));
  EXPECT_NE(base_subject(read), base_read_by(BaseId("b0"), "t1"));
}

TEST(Identity, TheEnginesVersionIsInItOnlyWhereTheSweepAsksForOne) {
  const auto with = [](const std::string& version) {
    return trials_of(known(sweep(kLora + "engine.numerics: " + version + "\n")))[0];
  };
  const SweepTrial plain = trials_of(known(sweep(kLora)))[0];
  EXPECT_FALSE(to_json(plain.settings).contains("engine"));
  EXPECT_NE(with("8").id, plain.id);
  EXPECT_NE(with("8").stage, with("9").stage);
  EXPECT_NE(base_subject(with("8")), base_subject(plain)) << "gain is to a base of the same arithmetic";
  EXPECT_EQ(from_json<TrialSettings>(to_json(with("8").settings)).engine->numerics, 8);
  EXPECT_EQ(values_of(with("8").settings).at("engine.numerics"), 8);
  EXPECT_FALSE(values_of(plain.settings).contains("engine.numerics"));
}

TEST(Identity, AModelsKeySaysWhereItsTokenizerLies) {
  EXPECT_EQ(tokenizer_path(model_key({.path = "/m"}), "/m"), "/m");
  EXPECT_EQ(tokenizer_path(model_key({.path = "/m", .tokenizer = "/t with spaces"}), "/m"), "/t with spaces");
  EXPECT_EQ(tokenizer_path("/other", "/m"), "");
}

TEST(Identity, CanonicalJsonIsSortedAndShort) {
  EXPECT_EQ(canonical_json(Json::parse(R"({"b":[1.0,5e-5,{}],"a":{"d":true,"c":null},"e":[]})")),
            R"({"a":{"c":null,"d":true},"b":[1,5e-05,{}],"e":[]})");
}

}  // namespace
}  // namespace ranktide
