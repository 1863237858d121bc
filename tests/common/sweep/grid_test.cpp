#include "common/sweep/grid.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <limits>

#include "common/sweep/setting_value.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

TEST(Grid, TheQuickstartHasTenCellsAndTwentyTrials) {
  const auto trials = trials_of(read_sweep(RANKTIDE_SOURCE_DIR "/sweeps/quickstart.yaml"));
  std::set<std::string> cells;
  for (const auto& trial : trials) cells.insert(trial.cell.text);
  EXPECT_EQ(trials.size(), 20U);
  EXPECT_EQ(cells.size(), 10U);
  EXPECT_EQ(trials[0].labels.at("regime"), "code");
  EXPECT_EQ(trials[0].blocks, std::vector<std::string>{"full"});
  EXPECT_EQ(trials[0].steps, 12);
  EXPECT_EQ(trials[0].eval_at, (std::vector<Step>{0, 12}));
  EXPECT_EQ(trials[0].settings.model.path, std::string(RANKTIDE_SOURCE_DIR) + "/models/smollm2-135m");
  ASSERT_EQ(trials[0].evals.size(), 2U);
  EXPECT_EQ(trials[0].evals[0].name, "python_loss");
  EXPECT_EQ(trials[0].evals[1].role, EvalRole::retain);
  EXPECT_TRUE(trials[0].provisional);
}

// The published study (sweeps of the paper's tables), with what is built standing in for what is not.
const std::string kPaper = R"(
version: 1
name: paper-ift
model: {path: m}
train: {schedule: cosine, warmup: 10%, final_lr: 1%, weight_decay: 0, decay_rule: per_step}
axes: {budget.epochs: [1, 2, 4, 8, 16]}
rows:
  regime:
    code: {data.train: evol.jsonl, data.max_tokens: 4096, train.batch: 192}
    math: {data.train: metamath.jsonl, data.max_tokens: 1024, train.batch: 768}
seeds: 3
blocks:
  full: {method: full, derive: {train.lr: 5e-5 if regime == code else 1e-5}}
  lora:
    method: lora
    lora.rank: [16, 64, 256]
    lora.target: all
    lora.dropout: 0.05
    derive:
      lora.alpha: 2 * rank
      train.lr: (2e-4 if rank < 256 else 1e-4) * (1 if regime == code else 0.5)
  targets: {like: lora, regime: code, budget.epochs: [1, 2, 4], lora.target: [attn, mlp, all]}
  regularised:
    like: full
    regime: code
    rows: {reg: {wd_low: {train.weight_decay: 5e-5}, wd_high: {train.weight_decay: 1e-4}, drop_low: {train.attention_dropout: 0.05}, drop_high: {train.attention_dropout: 0.1}}}
)";

TEST(Grid, ThePaperHas87Cells9EqualAnd234Trials) {
  const SweepSpec spec = sweep(kPaper);
  const auto counts = Grid(spec).counts();
  ASSERT_EQ(counts.size(), 4U);
  EXPECT_EQ(counts[0].cells, 10);
  EXPECT_EQ(counts[1].cells, 30);
  EXPECT_EQ(counts[2].cells, 27);
  EXPECT_EQ(counts[2].equal_to, (std::map<std::string, int64_t>{{"lora", 9}}));
  EXPECT_EQ(counts[3].cells, 20);
  EXPECT_EQ(counts[1].axes, (std::vector<std::string>{"budget.epochs{5}", "regime{2}", "lora.rank{3}"}));
  const auto trials = trials_of(spec);
  EXPECT_EQ(trials.size(), 234U);
  EXPECT_EQ(ids_of(spec).size(), 234U);
  const auto shared = std::count_if(trials.begin(), trials.end(), [](auto& t) { return t.blocks.size() == 2; });
  EXPECT_EQ(shared, 27);
}

std::vector<std::string> lrs(const std::string& axis) {
  std::vector<std::string> out;
  for (const auto& trial : trials_of(sweep(kLora + "axes: {train.lr: " + axis + "}\n")))
    out.push_back(trial.labels.at("train.lr"));
  return out;
}

TEST(Grid, EverySpellingOfAnAxisExpands) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(lrs("[1e-4, 2e-4]"), (Texts{"1e-4", "2e-4"}));
  EXPECT_EQ(lrs("{values: [1e-4]}"), Texts{"1e-4"});
  EXPECT_EQ(lrs("{value: 3e-4}"), Texts{"3e-4"});
  EXPECT_EQ(lrs("{min: 0.1, max: 0.3, step: 0.1}"), (Texts{"0.1", "0.2", "0.3"}));
  EXPECT_EQ(lrs("{min: 1, max: 2, count: 3}"), (Texts{"1", "1.5", "2"}));
  EXPECT_EQ(lrs("{log: [1e-5, 1e-3], count: 5}"),
            (Texts{"1e-05", "3.16228e-05", "1e-04", "0.000316228", "0.001"}));
}

TEST(Grid, ListTypedSettingsAreOneValue) {
  EXPECT_EQ(trials_of(sweep(kLora + "train.betas: [0.9, 0.95]\n")).size(), 1U);
  EXPECT_EQ(
      trials_of(sweep(kLora + "axes: {train.betas: [[0.9, 0.95], [0.9, 0.99]]}\n"))[1].settings.train.beta2,
      0.99);
  EXPECT_EQ(trials_of(sweep(kHead + "blocks: {a: {method: full, data.train: [a.txt, b.txt]}}\n"))[0]
                .settings.data.train.size(),
            2U);
  EXPECT_EQ(trials_of(sweep(
                kHead + "blocks: {a: {method: lora, lora.rank: 8, lora.target: [attn, q_proj+v_proj]}}\n"))[1]
                .settings.lora->target,
            (std::vector<std::string>{"q_proj", "v_proj"}));
}

// Two values of a type whose values are lists, as a file spells them.
std::pair<std::string, std::string> two_lists_of(SettingType type) {
  switch (type) {
    case SettingType::two_numbers:
      return {"[0.8, 0.9]", "[0.7, 0.9]"};
    case SettingType::sources:
      return {"[a.txt, b.txt]", "[c.txt]"};
    case SettingType::moments:
      return {"[0, 50%, end]", "[end]"};
    case SettingType::labels:
      return {"[a100, nvlink]", "[h100]"};
    default:
      return {};
  }
}

std::vector<const Setting*> list_typed_settings() {
  std::vector<const Setting*> out;
  for (const Setting& setting : settings())
    if (is_list_typed(setting)) out.push_back(&setting);
  return out;
}

TEST(ListTypedSettings, AListIsOneValueWhereverItStands) {
  ASSERT_EQ(list_typed_settings().size(), 4U);
  for (const Setting* setting : list_typed_settings()) {
    const std::string key(setting->key);
    const std::string list = two_lists_of(setting->type).first;
    ASSERT_NE(list, "") << key;
    const std::string line = key + ": " + list;
    const SweepSpec given = sweep(kLora, {key + "=" + list});
    EXPECT_EQ(given.blocks[0].axes.size(), 0U) << key;
    if (key.starts_with("run.")) {
      EXPECT_EQ(to_json(given), to_json(sweep(kLora + line + "\n"))) << key;
    } else {
      const SweepSpec edited = sweep(kLora + "blocks: {all: {" + line + "}}\n");
      EXPECT_EQ(to_json(given.blocks), to_json(edited.blocks)) << key;
    }
  }
}

TEST(ListTypedSettings, AListOfListsIsAnAxisWhereThereMayBeOne) {
  for (const Setting* setting : list_typed_settings()) {
    const std::string key(setting->key);
    const auto [one, other] = two_lists_of(setting->type);
    const std::string in_file = kLora + "axes: {" + key + ": [" + one + ", " + other + "]}\n";
    const std::string override_text = key + "=" + one + "," + other;
    if (setting->part == SettingPart::training) {
      EXPECT_EQ(sweep(in_file).blocks[0].axes.at(0).points.size(), 2U) << key;
      EXPECT_EQ(sweep(kLora, {override_text}).blocks[0].axes.at(0).points.size(), 2U) << key;
    } else {
      EXPECT_NE(error_in(in_file), "no error") << key;
      EXPECT_NE(error_in(kLora, {override_text}), "no error") << key;
    }
  }
}

// A list there means one value or several; which one, nobody can say.
TEST(ListTypedSettings, AFlatListThatWouldBeAnAxisIsRefusedWithBothSpellings) {
  for (const Setting* setting : list_typed_settings()) {
    if (setting->type == SettingType::sources || setting->key.starts_with("run.")) continue;
    const std::string key(setting->key);
    const std::string list = two_lists_of(setting->type).first;
    const bool may_vary = setting->part == SettingPart::training;
    const std::string both = key +
                             " takes a list as one value, and these would be several; one value is written " +
                             list + (may_vary ? ", an axis of such values [" + list + ", ...]" : "");
    EXPECT_NE(error_in(kLora + "axes: {" + key + ": " + list + "}\n").find(both), std::string::npos) << key;
    EXPECT_NE(error_in(kLora + "zip: {z: {train.lr: [1, 2, 3], " + key + ": " + list + "}}\n").find(both),
              std::string::npos)
        << key;
    const std::string flat = list.substr(1, list.size() - 2);
    EXPECT_EQ(error_in(kLora, {key + "=" + flat}), "override \"" + key + "=" + flat + "\": " + both);
  }
  EXPECT_EQ(sweep(kLora, {"data.train=a.txt,b.txt"}).blocks[0].axes.at(0).points.size(), 2U);
}

SweepSpec sweep_on(const std::string& target) {
  return sweep(kLora + "lora.target: " + target + "\n");
}

TEST(Grid, AttnAndMlpAreTheModulesOfTheirHalfAndTogetherAll) {
  using Names = std::vector<std::string>;
  const auto modules = [](const std::string& target) {
    return trials_of(sweep_on(target)).at(0).settings.lora->target;
  };
  EXPECT_EQ(modules("attn"), (Names{"k_proj", "o_proj", "q_proj", "v_proj"}));
  EXPECT_EQ(modules("mlp"), (Names{"down_proj", "gate_proj", "up_proj"}));
  EXPECT_EQ(modules("all"),
            (Names{"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}));
  for (const char* target : {"attn+mlp", "mlp+attn", "attn+gate_proj+up_proj+down_proj"})
    EXPECT_EQ(ids_of(sweep_on(target)), ids_of(sweep_on("all"))) << target;
  EXPECT_NE(ids_of(sweep_on("attn")), ids_of(sweep_on("all")));
  EXPECT_NE(ids_of(sweep_on("attn")), ids_of(sweep_on("mlp")));
}

TEST(Grid, TwoSpellingsOfOneTargetAreOneTrial) {
  const SweepSpec spec = sweep(kLora + "axes: {lora.target: [all, attn+mlp, attn]}\n");
  EXPECT_EQ(trials_of(spec).size(), 2U);
  EXPECT_EQ(Grid(spec).counts()[0].distinct(), 2);
}

TEST(Grid, ZipGoesTogether) {
  const auto trials =
      trials_of(sweep(kLora + "zip: {size: {train.batch: [1, 2], data.max_tokens: [64, 32]}}\n"));
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials[1].settings.train.batch, 2);
  EXPECT_EQ(trials[1].settings.data.max_tokens, 32);
  EXPECT_EQ(trials[1].labels.at("size"), "2/32");
}

TEST(Grid, WhenSwitchesAnAxisOff) {
  const auto trials =
      trials_of(sweep(kLora + "axes:\n  train.schedule: [cosine, constant]\n"
                              "  train.warmup: {values: [1, 2, 3], when: train.schedule == cosine}\n"));
  EXPECT_EQ(trials.size(), 4U);
}

TEST(Grid, ExcludedCellsKeepTheIndicesOfTheOthers) {
  const std::string axes = "axes: {lora.rank: [4, 8, 16], lora.target: [attn, all]}\n";
  const auto all = trials_of(sweep(kLora + axes));
  const auto some = trials_of(
      sweep(kLora + axes + "exclude: [\"rank > 8 and target == attn\", {lora.rank: [4], lora.target: all}]\n"));
  ASSERT_EQ(some.size(), 4U);
  for (const auto& trial : some) EXPECT_EQ(trial.id, all[static_cast<size_t>(trial.index)].id);
}

TEST(Grid, ARuleThatRemovesNothingWarnsAndOneThatRemovesABlockFails) {
  const Grid idle(sweep(kLora + "exclude: [\"rank > 512\"]\n"));
  EXPECT_EQ(warnings_of(idle, idle.counts()),
            std::vector<std::string>{
                "bad.yaml:9:11: exclude rule \"rank > 512\" removes 0 of 1 cells of block all (warning)"});
  const Grid emptied(sweep(kLora + "exclude: [\"rank > 4\"]\n"));
  EXPECT_EQ(error_of([&] { emptied.counts(); }),
            "bad.yaml:9:11: block all: its exclude rules remove all of its 1 cells; drop the block or a rule");
}

TEST(Grid, EqualCellsOfABlockRunOnce) {
  const SweepSpec spec = sweep(kHead + "axes: {method: [full, lora], lora.rank: [4, 8]}\n");
  EXPECT_EQ(trials_of(spec).size(), 3U);  // full has no rank, so its two cells are one
  EXPECT_EQ(Grid(spec).counts()[0].distinct(), 3);
}

TEST(Grid, ACellOfTwoBlocksWantsTheEvalsOfBoth) {
  const std::string text = kHead +
                           "method: full\nblocks:\n  a: {eval.learn: {x: {data: x.txt}}}\n  b: {eval.learn: "
                           "{y: {data: y.txt}}, eval.at: [2]}\n";
  const auto trials = trials_of(sweep(text));
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_EQ(trials[0].blocks, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(trials[0].evals.size(), 2U);
  EXPECT_EQ(trials[0].eval_at, (std::vector<Step>{0, 2, 4}));
}

TEST(Grid, TheUntouchedBaseIsEvaluatedWhateverEvalAtSays) {
  const std::string text = kLora + "eval.learn: {x: {data: x.txt}}\n";
  EXPECT_EQ(trials_of(sweep(text + "eval.at: [2]\n"))[0].eval_at, (std::vector<Step>{0, 2}));
  EXPECT_EQ(trials_of(sweep(text + "eval.at: [0]\n"))[0].eval_at, (std::vector<Step>{0}));
}

TEST(Grid, CountEqualsDistinctIds) {
  for (const std::string extra :
       {"axes: {lora.rank: [1, 2, 3], train.lr: [1e-4, 1e-3]}\nseeds: 3\n", "seeds: [7]\n",
        "rows: {r: {a: {train.batch: 4}, b: {train.batch: 4, data.packing: false}, c: {train.batch: 4}}}\n"}) {
    const SweepSpec spec = sweep(kLora + extra);
    int64_t cells = 0;
    for (const auto& count : Grid(spec).counts()) cells += count.distinct();
    EXPECT_EQ(static_cast<size_t>(cells) * spec.seeds.size(), ids_of(spec).size()) << extra;
    EXPECT_EQ(trials_of(spec).size(), ids_of(spec).size()) << extra;
  }
}

TEST(Grid, OrderOfKeysAndBlocksNeverChangesAnId) {
  const std::string ab =
      kHead +
      "blocks:\n  a: {method: full}\n  b: {method: lora, lora.rank: [4, 8], lora.target: [attn, all]}\n";
  const std::string ba =
      "blocks:\n  b: {lora.target: [all, attn], lora.rank: [8, 4], method: lora}\n  a: {method: full}\n"
      "train.lr: 0.1e-3\nbudget.steps: 4\ndata.train: d.txt\nmodel.path: ./m\nname: other\nversion: 1\n";
  EXPECT_EQ(ids_of(sweep(ab)), ids_of(sweep(ba)));
}

TEST(Grid, ADefaultWrittenOutIsTheSameTrial) {
  EXPECT_EQ(
      ids_of(sweep(kLora)),
      ids_of(sweep(kLora + "lora.alpha: 16\ntrain.schedule: cosine\ntrain.warmup: 10%\ndata.packing: true\n")));
}

TEST(Grid, AHugeProductIsRefusedBeforeItIsExpanded) {
  std::string text = kLora + "axes:\n";
  for (const char* key :
       {"train.lr", "train.eps", "train.weight_decay", "train.clip", "lora.alpha", "train.final_lr"})
    text += std::string("  ") + key + ": {min: 0.001, max: 1, count: 1000}\n";
  EXPECT_EQ(error_in(text),
            "bad.yaml: the grid has 1,000,000,000,000,000,000 trials, more than 1,000,000; shorten an axis "
            "(--max-trials goes up to 50,000,000)");
  SweepSpec spec = sweep(kLora);
  spec.blocks[0].axes.assign(32, Axis{.name = "a", .points = std::vector<AxisPoint>(10'000), .when = ""});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_NE(error_of([&] { raw_trials(spec); }), "no error");
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 10);
}

// What a spec says of itself is its client's word.
TEST(Grid, NoSweepHasMoreTrialsThanCanBeLookedAt) {
  SweepSpec spec = sweep(kLora);
  spec.max_trials = std::numeric_limits<int64_t>::max();
  spec.blocks[0].axes.assign(2, Axis{.name = "a", .points = std::vector<AxisPoint>(7'000), .when = ""});
  spec.seeds = {0, 1};
  EXPECT_EQ(error_of([&] { validate(spec); }),
            "the grid has 98,000,000 trials, more than 50,000,000; shorten an axis (--max-trials goes up to "
            "50,000,000)");
  spec.seeds = {0};
  EXPECT_EQ(raw_trials(spec), 49'000'000);
}

// Asked one by one they would take half a minute.
TEST(Grid, CellsAreCountedInTheirFactors) {
  const SweepSpec spec =
      sweep(kLora +
            "axes:\n  train.lr: {log: [1e-5, 1e-3], count: 400}\n  lora.rank: {min: 1, max: 100, step: 1}\n"
            "  train.schedule: [cosine, linear, constant]\n"
            "  train.warmup: {values: [1, 2], when: train.schedule != constant}\n"
            "derive: {lora.alpha: 2 * rank}\nexclude: [\"rank > 90 and schedule == linear\"]\n");
  const auto start = std::chrono::steady_clock::now();
  const auto counts = Grid(spec).counts();
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 15);
  EXPECT_EQ(counts[0].cells, 400 * (100 * 3 + 90 * 2));
  EXPECT_EQ(counts[0].excluded, 400 * 10 * 2);
  EXPECT_EQ(counts[0].distinct(), counts[0].cells);
}

// A derivation reads defaults before other derivations, an exclude rule after them.
TEST(Grid, WhatADerivationReadsThroughADefaultIsCountedAsItIsListed) {
  const std::string head = "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 4}\n";
  const SweepSpec spec =
      sweep(head +
            "method: lora\nblocks:\n"
            "  one:\n    axes: {data.max_tokens: [512, 1024], lora.rank: [4, 8]}\n"
            "    derive:\n      train.schedule: \"'linear' if max_tokens > 512 else 'cosine'\"\n"
            "      train.lr: 1e-4 * (1 + 10 * final_lr) * 16 / rank\n    exclude: [final_lr > 0.5]\n"
            "  two:\n    axes: {lora.rank: [4, 8]}\n    data.max_tokens: 1024\n    train.schedule: linear\n"
            "    derive: {train.lr: 1e-4 * 16 / rank}\n");
  EXPECT_EQ(trial_count(spec, Grid(spec).counts()), std::ssize(ids_of(spec)));
}

// alpha is twice the rank where nothing sets it: the rate reads it before the rank is derived, the rule after.
TEST(Grid, AnExcludeRuleSeesWhatWasDerivedAndDerivesItNotAgain) {
  const auto excluding = [](const std::string& rule) {
    return sweep(
        "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 4}\nmethod: lora\n"
        "lora.rank: 8\nblocks:\n  a:\n    axes: {data.max_tokens: [512, 1024], train.batch: [2, 4]}\n"
        "    derive: {lora.rank: 16 if max_tokens > 512 else 4, train.lr: 1e-5 * alpha}\n    exclude: [" +
        rule + "]\n");
  };
  const SweepSpec none = excluding("lr > 2e-4");
  EXPECT_EQ(Grid(none).counts()[0].excluded, 0);
  for (const SweepTrial& trial : trials_of(none)) EXPECT_DOUBLE_EQ(trial.settings.train.lr, 1.6e-4);
  const SweepSpec half = excluding("lr < 2e-4 and alpha > 16");
  EXPECT_EQ(Grid(half).counts()[0].excluded, 2);
  for (const SweepTrial& trial : trials_of(half)) EXPECT_EQ(trial.settings.lora->rank, 4);
}

TEST(Grid, ADerivationThatHasNoValueIsRefusedWhereCellsAreCounted) {
  const SweepSpec spec = sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 4}\nmethod: lora\n"
      "axes: {data.max_tokens: [512, 1024], train.batch: [4, 8]}\n"
      "derive:\n  lora.rank: batch\n"
      "  train.lr: \"1e-4 if max_tokens < 1024 or batch < 8 else 1e-5 * alpha\"\n");
  const std::string error = error_of([&] { Grid(spec).counts(); });
  EXPECT_NE(error.find("\"alpha\", which has no value here"), std::string::npos) << error;
}

TEST(Grid, NumbersThatAnIdTellsApartAreTwoTrials) {
  const SweepSpec spec = sweep(kLora + "axes: {lora.dropout: [0, -0.0]}\n");
  EXPECT_EQ(ids_of(spec).size(), 2u);
  EXPECT_EQ(trial_count(spec, Grid(spec).counts()), 2);
}

TEST(Grid, TheLimitCanBeRaised) {
  const std::string text = kLora + "axes: {train.lr: {min: 0.001, max: 1, count: 1000}}\nseeds: 1001\n";
  EXPECT_NE(error_in(text), "no error");
  EXPECT_EQ(Grid(parse_sweep(text, "f", "/", {}, 2'000'000)).raw_count(), 1'001'000);
}

DataInput some_data() {
  return {.sha256 = "d", .documents = 10, .tokens = 900, .rows = 10};
}

SweepSpec with_inputs(SweepSpec spec) {
  for (const auto& model : wanted_inputs(spec).models)
    spec.inputs.models[model_key(model)] = {
        .path = model.path, .base = BaseId("base"), .tokenizer_sha256 = "tok"};
  for (const auto& wanted : wanted_inputs(spec).data)
    spec.inputs.data[data_key(wanted.data, "tok")] = some_data();
  for (const auto& file : wanted_inputs(spec).files) spec.inputs.files[file] = "f";
  return spec;
}

Step steps_with(const std::string& budget) {
  const std::string head =
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\ntrain: {lr: 1, batch: 4}\nmethod: full\n";
  return trials_of(with_inputs(sweep(head + budget + "\n")))[0].steps;
}

TEST(Grid, BudgetsBecomeSteps) {
  EXPECT_EQ(steps_with("budget.steps: 7"), 7);
  EXPECT_EQ(steps_with("budget.epochs: 2"), 6);  // 10 rows in batches of 4 are 3 steps
  EXPECT_EQ(steps_with("budget.epochs: 0.5"), 2);
  EXPECT_EQ(steps_with("budget.tokens: 360"), 1);  // 90 tokens a row, 4 rows a step
  EXPECT_EQ(steps_with("budget.tokens: 361"), 2);
}

TEST(Grid, InputsMakeIdsFinalAndPathsDoNotMatter) {
  const auto a = trials_of(with_inputs(sweep(kLora)));
  const auto b = trials_of(with_inputs(sweep(kLora, {"model.path=elsewhere", "data.train=moved.txt"})));
  EXPECT_FALSE(a[0].provisional);
  EXPECT_EQ(a[0].id, b[0].id);
  EXPECT_EQ(a[0].base, BaseId("base"));
  EXPECT_NE(a[0].id, trials_of(sweep(kLora))[0].id);
}

TEST(Grid, WantedInputsAreFoundWithoutWalkingTheGrid) {
  const auto wanted = wanted_inputs(sweep(
      kLora +
      "axes: {train.lr: {min: 0.001, max: 1, count: 1000}}\n"
      "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\neval.learn: {x: {data: x.txt}}\n"));
  EXPECT_EQ(wanted.models.size(), 1U);
  EXPECT_EQ(wanted.data.size(), 2U);
  EXPECT_EQ(wanted.files, std::vector<std::string>{"/sweeps/x.txt"});
  ASSERT_EQ(wanted.evals.size(), 1U);
  EXPECT_EQ(wanted.evals[0].spec.data, "/sweeps/x.txt");
}

TEST(Grid, RegimeIsMadeFromTheDataWithoutRows) {
  EXPECT_EQ(trials_of(sweep(kLora))[0].labels.at("regime"), "d.text");
  EXPECT_EQ(trials_of(sweep(kLora, {"data.train=p.jsonl"}))[0].labels.at("regime"), "p.prompt");
  EXPECT_EQ(trials_of(sweep(kLora))[0].labels.at("lora.target"), "all");
}

}  // namespace
}  // namespace ranktide
