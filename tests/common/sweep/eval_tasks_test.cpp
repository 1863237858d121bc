#include "common/sweep/eval_tasks.h"

#include <gtest/gtest.h>

#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

// Returns: the spec that an eval of this text under eval.learn comes to.
EvalSpec spec_of(const std::string& text) {
  return trials_of(sweep(kLora + "eval.learn: {" + text + "}\n")).at(0).evals.at(0).spec;
}

TEST(EvalTasks, ANameBringsItsKindAndDefaults) {
  EXPECT_EQ(spec_of("hellaswag: {shots: 10}").kind, EvalKind::choice);
  EXPECT_EQ(spec_of("hellaswag: {shots: 10}").shots, 10);
  EXPECT_EQ(spec_of("gsm8k: {}").kind, EvalKind::generate);
  EXPECT_EQ(spec_of("gsm8k: {}").shots, 5);
  EXPECT_EQ(spec_of("gsm8k: {shots: 8}").shots, 8);
  const EvalSpec code = spec_of("humaneval: {samples: 50, temperature: 0.2, top_p: 0.95}");
  EXPECT_EQ(code.kind, EvalKind::code);
  EXPECT_EQ(code.samples, 50);
  EXPECT_EQ(code.temperature, 0.2);
  EXPECT_EQ(code.top_p, 0.95);
}

TEST(EvalTasks, WhatAFileSaysGoesBeforeTheTask) {
  const EvalSpec own = spec_of("gsm8k: {data: own.jsonl, kind: loss}");
  EXPECT_EQ(own.data, "/sweeps/own.jsonl");
  EXPECT_EQ(own.kind, EvalKind::loss);
  EXPECT_EQ(own.shots, 0) << "shots of another kind";
}

TEST(EvalTasks, OtherNamesNeedAFile) {
  EXPECT_EQ(error_in(kLora + "eval.retain: {helaswag: {shots: 1}}\n"),
            "bad.yaml:9:25: eval.retain.helaswag needs data; name a file with data: ...; did you mean "
            "\"hellaswag\"?");
}

TEST(EvalTasks, DrawingAnswersIsRefusedWhereNoneAreWritten) {
  EXPECT_EQ(
      error_in(kLora + "eval.retain: {hellaswag: {top_p: 0.9}}\n"),
      "bad.yaml:9:27: eval.retain.hellaswag.top_p has no effect with kind: choice; it is of generate and code; "
      "remove it");
  EXPECT_EQ(error_in(kLora + "eval.retain: {e: {data: d, samples: 0, kind: code}}\n")
                .find("bad.yaml:9:37: eval.retain.e.samples takes a whole number from 1 to 10000, got 0"),
            0U);
}

// A task without its file is another than one of another name: their trials are planned, nothing is merged.
TEST(EvalTasks, WithoutTheirFilesTasksAreToldApart) {
  EXPECT_NE(eval_spec_id(spec_of("hellaswag: {}")), eval_spec_id(spec_of("arc_challenge: {}")));
  EXPECT_EQ(
      missing_items("task:winogrande"),
      "eval winogrande: its items (WinoGrande XL, validation) are not part of ranktide; write data: FILE.jsonl "
      "with one row {context_options, continuation, gold} an item");
}

TEST(EvalTasks, OnlyScoredTextsCanBeRun) {
  EXPECT_EQ(unbuilt({.kind = EvalKind::loss}), std::nullopt);
  EXPECT_EQ(unbuilt({.kind = EvalKind::choice}), std::nullopt);
  EXPECT_EQ(
      unbuilt(spec_of("humaneval: {}")),
      "eval humaneval: kind code can be planned, not run yet, since no trainer writes answers; take kind: loss "
      "with a file of rows {prompt, completion}, or leave the eval out");
}

// Frozen: results are found by these.
TEST(EvalTasks, HowAnswersAreDrawnIsInTheIdOfGeneratedOnesOnly) {
  EXPECT_EQ(eval_spec_id({.data_sha256 = "h"}).substr(0, 12), "752dc84babb4");
  EXPECT_EQ(eval_spec_id({.data_sha256 = "h", .kind = EvalKind::choice, .shots = 10}).substr(0, 12),
            "94a3e73e5393");
  EXPECT_EQ(eval_spec_id({.data_sha256 = "h", .samples = 3, .temperature = 1, .top_p = 0.5}),
            eval_spec_id({.data_sha256 = "h"}));
  for (const EvalKind kind : {EvalKind::generate, EvalKind::code})
    EXPECT_NE(eval_spec_id({.data_sha256 = "h", .kind = kind, .samples = 3}),
              eval_spec_id({.data_sha256 = "h", .kind = kind}));
}

}  // namespace
}  // namespace ranktide
