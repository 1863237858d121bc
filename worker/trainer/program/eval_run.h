#pragma once
// Evals of a running work: one eval on a model, and a work of evals alone. Evals at steps of a training are
// stage_run.h's. The engine thread.

#include <optional>
#include <stop_token>
#include <vector>

#include "common/vocabulary/trial.h"
#include "worker/trainer/program/work_folders.h"
#include "worker/trainer/program/work_inputs.h"
#include "worker/trainer/program/work_reporter.h"

namespace ranktide {

// Returns: tokens of a forward pass where `rows` of `rows_by_default` are computed at once; at most the usual.
int64_t tokens_of_forward(int rows, int rows_by_default);

// Scores the items of the order; says so and pulses meanwhile, but leaves telling the result to the caller.
// Where memory runs out it begins again with half as many tokens in a pass, until the longest item is one: what
// was trained is not thrown away for an eval. The score is then that of smaller passes (eval/evaluate.h).
// Returns: nullopt when `stop` was asked for before its end. Throws: what computing throws; for memory, when
// smaller passes cannot help.
std::optional<EvalResult> run_eval(const EvalOrder& order, const std::vector<EvalItem>& items,
                                   const Model& model, WorkReporter& reporter, std::stop_token stop,
                                   int64_t tokens_per_forward);

// Evals leased by themselves.
struct EvalsOrder {
  std::optional<Stage> stage;  // on its kept weights; absent: on the untouched base
  BaseId base;
  std::string tokenizer_sha256;
  ModelSettings model;
  std::vector<EvalOrder> evals;
  int microbatch = 0;  // rows of kEvalMicrobatch in a forward pass; 0: all
};

// Reports each result as it is found. Returns: completed or stopped.
// Throws: LastingError when the stage's weights are not kept here, and what loading and computing throw.
Outcome run_evals(const EvalsOrder& order, const WorkFolders& folders, WorkInputs& inputs,
                  WorkReporter& reporter, std::stop_token stop);

}  // namespace ranktide
