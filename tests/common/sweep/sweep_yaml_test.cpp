#include "common/sweep/sweep_yaml.h"

#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

TEST(SweepYaml, SuggestsTheKeyThatWasMeant) {
  const std::string text = "version: 1\nname: s\ntrain:\n  learning_rate: 1e-4\n";
  EXPECT_EQ(error_in(text), "bad.yaml:4:3: unknown key \"train.learning_rate\"; did you mean \"train.lr\"?");
  EXPECT_EQ(error_in(kHead + "train.shedule: linear\n"),
            "bad.yaml:7:1: unknown key \"train.shedule\"; did you mean \"train.schedule\"?");
  EXPECT_EQ(error_in(kHead + "rank: 8\n"), "bad.yaml:7:1: unknown key \"rank\"; did you mean \"lora.rank\"?");
}

TEST(SweepYaml, AFileThatIsNoSweepIsToldWhatItIs) {
  const std::string map = "bad.yaml: a sweep file is a map of settings, ";
  EXPECT_EQ(error_in(""), map + "and the file is empty");
  EXPECT_EQ(error_in(" \n\t\n"), map + "and the file is empty");
  EXPECT_EQ(error_in("# nothing but a remark\n"),
            map + "and this file has none; it begins with \"# nothing but a remark\"");
  EXPECT_EQ(error_in("%PDF-1.4\n"), map + "and this file has none; it begins with \"%PDF-1.4\"");
  EXPECT_EQ(error_in("\xff\xd8\xff\xe0\x00\x10JFIF"), "bad.yaml:1:1: not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(error_in("just words\n"), "bad.yaml:1:1: a sweep file is a map of settings, got \"just words\"");
  EXPECT_EQ(error_in("~\n"), "bad.yaml:1:1: a sweep file is a map of settings, got nothing");
}

TEST(SweepYaml, KnowsTheWordsOfOtherTools) {
  const auto suggested = [](const std::string& key) {
    const std::string message = error_in(kHead + key + ": 1\n");
    const size_t at = message.find("did you mean ");
    return at == std::string::npos ? message : message.substr(at);
  };
  EXPECT_EQ(suggested("lora_r"), "did you mean \"lora.rank\"?");
  EXPECT_EQ(suggested("target_modules"), "did you mean \"lora.target\"?");
  EXPECT_EQ(suggested("parameters"), "did you mean \"axes\"?");
  EXPECT_EQ(suggested("groups"), "did you mean \"blocks\"?");
  EXPECT_EQ(suggested("max_restarts"), "did you mean \"run.retry.own\"?");
  EXPECT_EQ(suggested("parallelTrialCount"), "did you mean \"run.max_parallel\"?");
  EXPECT_EQ(error_in(kLora + "axes: {lora.rank: {vals: [1]}}\n"),
            "bad.yaml:9:20: unknown word \"vals\" in an axis; did you mean \"values\"?");
}

TEST(SweepYaml, AListAtAOneValueKeyIsNoAxis) {
  EXPECT_EQ(error_in(kLora + "data.max_tokens: [1024, 4096]\n"),
            "bad.yaml:9:18: data.max_tokens takes one number, got a list; to sweep it write   "
            "axes: {data.max_tokens: [1024, 4096]}");
}

TEST(SweepYaml, AnAxisIsMadeInOneWay) {
  EXPECT_EQ(error_in(kLora + "axes: {train.batch: {min: 1, max: 9, step: 2, count: 5}}\n"),
            "bad.yaml:9:21: axis train.batch: step and count exclude each other; keep one");
  EXPECT_EQ(error_in(kLora + "axes: {train.clip: {log: [1, 8], count: 4, min: 1}}\n"),
            "bad.yaml:9:20: axis train.clip: log has both ends in it; leave min, max and step out");
}

TEST(SweepYaml, ZipColumnsAreEquallyLong) {
  EXPECT_EQ(
      error_in(kLora + "zip:\n  setting:\n    data.train: [a.txt, b.txt]\n    data.max_tokens: [1, 2, 3]\n"),
      "bad.yaml:11:5: zip \"setting\": data.train has 2 values, data.max_tokens (line 12) has 3");
}

TEST(SweepYaml, AZipHasEachColumnAndEachPointOnce) {
  EXPECT_EQ(error_in(kLora + "zip: {z: {train: {eps: [1e-8, 1e-6]}, train.eps: [1e-7, 1e-5]}}\n"),
            "bad.yaml:9:39: \"train.eps\" is set twice in zip \"z\" (first at line 9)");
  EXPECT_EQ(error_in(kLora + "zip: {z: {train.eps: [1e-8, 0.00000001], train.clip: [1, 1.0]}}\n"),
            "bad.yaml:9:29: zip \"z\" has 0.00000001/1.0 twice, so its trials would be equal");
  EXPECT_EQ(error_in(kLora + "zip: {z: {train: {}}}\n"),
            "bad.yaml:9:10: zip \"z\" takes {key: [..], key: [..]}, got a map");
}

TEST(SweepYaml, AKeyWithoutEffectInABlockIsRefused) {
  EXPECT_EQ(
      error_in(kHead +
               "blocks:\n  full:\n    method: full\n    lora.rank: 8\n  lora: {method: lora, lora.rank: 8}\n"),
      "bad.yaml:10:5: lora.rank has no effect with method: full (block full); move it to block lora");
  EXPECT_EQ(error_in(kHead + "method: full\nlora.rank: 8\n"),
            "bad.yaml:8:1: lora.rank has no effect with method: full; remove it");
  EXPECT_EQ(error_in(kLora + "train.schedule: constant\ntrain.final_lr: 1%\n"),
            "bad.yaml:10:1: train.final_lr has no effect with train.schedule: constant; remove it");
}

TEST(SweepYaml, AKeySetTwiceAtOneLevelNamesBothPlaces) {
  EXPECT_EQ(
      error_in(
          kHead +
          "blocks:\n  lora:\n    method: lora\n    lora.rank: 8\n    train: {batch: 2}\n    train.batch: 4\n"),
      "bad.yaml:12:5: \"train.batch\" is set twice in block lora (first at line 11)");
  EXPECT_EQ(error_in(kLora + "axes: {train.batch: [1, 2]}\nderive: {train.batch: 2}\n"),
            "bad.yaml:10:10: \"train.batch\" is set twice (first at line 9)");
}

TEST(SweepYaml, ValuesOfTheWrongTypeGetARemedy) {
  const auto message = [](const std::string& line) { return error_in(kLora + line + "\n"); };
  EXPECT_EQ(message("train.eps: fast"), "bad.yaml:9:12: train.eps takes a number from 0 to 1, got \"fast\"");
  EXPECT_EQ(message("train.eps: \"1e-8\""),
            "bad.yaml:9:12: train.eps takes a number from 0 to 1, got \"1e-8\"; remove the quotes");
  EXPECT_EQ(message("train.batch: 16.0"),
            "bad.yaml:9:14: train.batch takes a whole number from 1 to 1048576, got 16.0; write 16");
  EXPECT_EQ(message("train.batch: 010"),
            "bad.yaml:9:14: train.batch takes a whole number from 1 to 1048576, got 010; leading zeros are not "
            "allowed");
  EXPECT_EQ(message("train.eps: 1e999"), "bad.yaml:9:12: train.eps takes a number from 0 to 1, got 1e999");
  EXPECT_EQ(message("train.eps: .nan"), "bad.yaml:9:12: train.eps takes a number from 0 to 1, got .nan");
  EXPECT_EQ(message("data.packing: yes"),
            "bad.yaml:9:15: data.packing takes true or false, got \"yes\"; write true");
  EXPECT_EQ(message("train.schedule: cosin"),
            "bad.yaml:9:17: train.schedule takes one of constant, linear, cosine, wsd, got \"cosin\"; did you "
            "mean \"cosine\"?");
  EXPECT_EQ(message("train.optimizer: sgd"),
            "bad.yaml:9:18: train.optimizer takes one of adamw, lion, got \"sgd\"");
  EXPECT_EQ(message("train: 3"), "bad.yaml:9:1: \"train\" is set twice (first at line 6)");
}

TEST(SweepYaml, RanksAndRatesHaveRanges) {
  EXPECT_EQ(error_in(kHead + "method: lora\nlora.rank: 0\n"),
            "bad.yaml:8:12: lora.rank takes a whole number from 1 to 65536, got 0");
  EXPECT_EQ(error_in(kLora + "lora.dropout: 150%\n"),
            "bad.yaml:9:15: lora.dropout takes a percentage or a number from 0 to 0.999999, got 150%");
}

TEST(SweepYaml, AModuleListIsRefusedWithBothSpellings) {
  EXPECT_EQ(error_in(kLora + "lora.target: [q_proj, v_proj]\n"),
            "bad.yaml:9:14: lora.target: a list of modules can mean two things; write q_proj+v_proj for one "
            "trial with all "
            "of them, or {values: [q_proj, v_proj]} for one trial each");
  EXPECT_EQ(
      error_in(kLora + "lora.target: q_proj+q_proj\n").find("bad.yaml:9:14: lora.target takes attn, mlp, all"),
      0U);
}

TEST(SweepYaml, AnEmptyGridIsRefused) {
  EXPECT_EQ(error_in(kHead + "method: lora\naxes: {lora.rank: []}\n"),
            "bad.yaml:8:19: axis lora.rank has no values, so the grid would be empty; give it at least one, or "
            "leave the key out");
  EXPECT_EQ(error_in(kLora + "seeds: []\n"),
            "bad.yaml:9:8: seeds is an empty list, so the grid would be empty");
  EXPECT_EQ(error_in(kHead + "blocks: {}\n").find("bad.yaml:7:9: blocks takes a map"), 0U);
}

TEST(SweepYaml, WhatIsMissingIsSaid) {
  EXPECT_EQ(error_in("name: s\n"),
            "bad.yaml:1:1: version is required; write `version: 1` at the top\n"
            "bad.yaml: model.path, method, train.lr, data.train and a budget (budget.steps, budget.tokens or "
            "budget.epochs) are required; nothing sets them");
  EXPECT_EQ(error_in(kHead + "method: lora\n"), "bad.yaml: lora.rank is required; nothing sets it");
  EXPECT_EQ(error_in(kHead + "blocks:\n  full: {method: full}\n  lora: {method: lora}\n"),
            "bad.yaml:9:3: block lora: lora.rank is required; nothing sets it");
  EXPECT_EQ(error_in("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d}\nmethod: full\ntrain: {lr: 1}\n"),
            "bad.yaml: a budget is required; write budget.steps, budget.tokens or budget.epochs");
  EXPECT_EQ(
      error_in(kLora + "budget.epochs: 2\n").find("bad.yaml:9:1: budget.epochs and budget.steps are both set"),
      0U);
}

TEST(SweepYaml, AMissingSettingOfOneLabelIsFoundBeforeAnythingRuns) {
  const std::string head =
      "version: 1\nname: s\nmodel: {path: m}\nbudget: {steps: 4}\nmethod: full\ntrain.lr: 1\n";
  EXPECT_EQ(error_in(head + "rows: {regime: {a: {data.train: a.txt}, b: {train.batch: 2}}}\n"),
            "bad.yaml: data.train is required; nothing sets it (in some cells: data.train is set only with "
            "regime: a)");
  const std::string no_method = kHead + "blocks:\n  a: {method: full}\n  b: {lora.rank: 8}\n";
  EXPECT_EQ(error_in(no_method), "bad.yaml:9:3: block b: method is required; nothing sets it");
  EXPECT_EQ(error_in(no_method, {"b:method=lora"}), "no error");
}

TEST(SweepYaml, ANameOnTheHubIsNoPath) {
  const std::string head =
      "version: 1\nname: s\nbudget: {steps: 4}\nmethod: full\ntrain.lr: 1\ndata.train: d.txt\n";
  EXPECT_EQ(trials_of(sweep(head + "model.path: \"hub: org/tiny@v2\"\n")).at(0).settings.model.path,
            "hub:org/tiny@v2");
  EXPECT_EQ(trials_of(sweep(kLora, {"model.tokenizer=hub:org/tiny"})).at(0).settings.model.tokenizer,
            "hub:org/tiny@main");
  EXPECT_EQ(error_in(head + "model.path: hub:org/../x\n"),
            "bad.yaml:7:13: model.path: not a name on the hub; write \"hub:org/name@revision\"");
  EXPECT_EQ(error_in(kLora + "data.replay: {path: hub:org/data, share: 10%}\n"),
            "bad.yaml:9:21: data.replay.path takes a path; hub: names are for models and tokenizers");
}

TEST(SweepYaml, ErrorsCarryTheLineForATerminal) {
  try {
    sweep("version: 1\nname: s\ntrain:\n  learning_rate: 1e-4\n");
    FAIL();
  } catch (const SpecError& e) {
    EXPECT_EQ(e.excerpt, "   4 |   learning_rate: 1e-4\n     |   ^^^^^^^^^^^^^");
  }
}

TEST(SweepYaml, TheRunPolicyIsReadWithUnits) {
  const RunPolicy run =
      sweep(kLora +
            "run: {priority: 5, keep: weights, checkpoint_every: 90s, retry: {infra: 7}, max_parallel: 3}\n")
          .run;
  EXPECT_EQ(run.priority, 5);
  EXPECT_EQ(run.keep, Keep::weights);
  EXPECT_EQ(run.checkpoint_every_ms, 90'000);
  EXPECT_EQ(run.retry.infra, 7);
  EXPECT_EQ(run.retry.own, 3);
  EXPECT_EQ(run.max_parallel, 3);
  EXPECT_EQ(error_in(kHead + "blocks: {a: {run.priority: 1, method: full}}\n"),
            "bad.yaml:7:14: run.priority is the whole sweep's; it cannot differ between trials");
}

TEST(SweepYaml, TheNeedsOfASlotAreReadWithUnits) {
  const SlotNeeds needs =
      sweep(kLora + "run.needs: {memory: 1.5GiB, labels: [a100, nvlink], gpus: 1}\n").run.needs;
  EXPECT_EQ(needs.memory_bytes, int64_t{3} << 29);
  EXPECT_EQ(needs.labels, (std::vector<std::string>{"a100", "nvlink"}));
  EXPECT_EQ(needs.gpus, 1);
  const SlotNeeds none = sweep(kLora).run.needs;
  EXPECT_EQ(none.memory_bytes, std::nullopt);
  EXPECT_TRUE(none.labels.empty());
  EXPECT_EQ(none.gpus, 0);
}

TEST(SweepYaml, NeedsAreRefusedAsStrictlyAsOtherKeys) {
  const auto message = [](const std::string& needs) {
    return error_in(kLora + "run.needs: {" + needs + "}\n");
  };
  EXPECT_EQ(
      message("gpus: 2"),
      "bad.yaml:9:19: run.needs.gpus takes a whole number from 0 to 1 (a trial runs on one device), got 2");
  for (const char* size : {"6", "6GB", "6 giB", "-1GiB", "\"6GiB\"", "0KiB", "[6GiB]"})
    EXPECT_EQ(message(std::string("memory: ") + size).find("bad.yaml:9:21: run.needs.memory takes"), 0U)
        << size;
  for (const char* labels : {"a100", "[a100, a100]", "[\"a b\"]", "{a100: 1}"})
    EXPECT_EQ(message(std::string("labels: ") + labels).find("bad.yaml:9:21: run.needs.labels takes a list"),
              0U)
        << labels;
  EXPECT_EQ(message("gpu: 1").find("bad.yaml:9:13: unknown key \"run.needs.gpu\""), 0U) << message("gpu: 1");
  EXPECT_EQ(error_in(kHead + "blocks: {a: {run.needs.gpus: 1, method: full}}\n"),
            "bad.yaml:7:14: run.needs.gpus is the whole sweep's; it cannot differ between trials");
}

TEST(SweepYaml, ADeltaCanBeKeptOfEitherMethod) {
  const std::string blocks = "blocks:\n  lora: {method: lora, lora.rank: 4}\n  full: {method: full}\n";
  EXPECT_EQ(error_in(kHead + "run: {priority: 1, keep: delta}\n" + blocks), "no error");
}

TEST(SweepYaml, ASpecFromTheWireIsCheckedAsStrictlyAsAFile) {
  SweepSpec spec = from_json<SweepSpec>(parse_json(to_json(sweep(kLora)).dump()));
  EXPECT_EQ(error_of([&] { validate(spec); }), "no error");
  spec.blocks[0].constants["lora.rank"] = "8";
  EXPECT_EQ(error_of([&] { validate(spec); }),
            "block all: lora.rank takes a whole number from 1 to 65536, got \"8\"");
  SweepSpec needy = sweep(kLora);
  needy.run.needs.gpus = 8;
  EXPECT_EQ(error_of([&] { validate(needy); }).find("run.needs.gpus takes a whole number from 0 to 1"), 0U);
  needy.run.needs = {.memory_bytes = -1};
  EXPECT_EQ(error_of([&] { validate(needy); }).find("run.needs.memory takes a size"), 0U);
  needy.run.needs = {.memory_bytes = {}, .labels = {"two words"}};
  EXPECT_EQ(error_of([&] { validate(needy); }).find("run.needs.labels takes a list"), 0U);
  spec.blocks[0].constants.erase("lora.rank");
  spec.blocks[0].constants["lora.rnak"] = 8;
  EXPECT_EQ(error_of([&] { validate(spec); }),
            "block all: unknown key \"lora.rnak\"; did you mean \"lora.rank\"?");
}

}  // namespace
}  // namespace ranktide
