#include "worker/trainer/program/eval_run.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "common/model/microbatch.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/lm/score.h"
#include "worker/trainer/program/failure.h"
#include "worker/trainer/program/warm_model.h"
#include "worker/trainer/program/weight_delta.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

// What has gone is nowhere: the worker that trained a trial is the only one that has its weights, and other
// steps' were never kept.
void require_kept(const Stage& stage, const EvalsOrder& order, const fs::path& artifact) {
  for (const EvalOrder& eval : order.evals)
    if (eval.at != stage.to)
      throw LastingError("step " + std::to_string(eval.at) + " of trial " + stage.trial.brief() +
                         ": only the weights of its last step, " + std::to_string(stage.to) + ", are kept");
  if (!fs::is_directory(artifact))
    throw LastingError(
        artifact.string() + ": the weights of trial " + stage.trial.brief() +
        " are not here: run.keep asked for none (adapters, of LoRA, weights or delta do), or they went to make "
        "room (--artifacts-max of this worker)");
}

Model model_of(const EvalsOrder& order, const WorkFolders& folders, WorkInputs& inputs) {
  if (!order.stage) return Model::untouched(inputs.base(order.model, order.base));
  const fs::path artifact = folders.artifact_of(order.stage->trial);
  require_kept(*order.stage, order, artifact);
  if (order.stage->settings.method == Method::lora)
    return Model::with_adapter(base_under(*order.stage, order.model, folders, inputs), artifact);
  if (is_weight_delta(artifact)) return Model::untouched(inputs.changed(order.model, order.base, artifact));
  return Model::untouched(inputs.weights(artifact, order.model.dtype));
}

// Calls compute(tokens of a pass), with half as many each time that memory runs out.
template <class Compute>
std::optional<Evaluation> in_less_memory(const std::string& name, int64_t tokens, int64_t tokens_min,
                                         const Model& model, const Compute& compute) {
  for (;; tokens /= 2) {
    try {
      return compute(tokens);
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind != FailureKind::memory || tokens <= tokens_min) throw;
      give_back_memory(model);
      std::cerr << "eval " << name << " ran out of memory with " << tokens
                << " tokens in a pass, and begins again with half as many: " << failure.message << "\n";
    }
  }
}

}  // namespace

int64_t tokens_of_forward(int rows, int rows_by_default) {
  if (rows <= 0 || rows >= rows_by_default) return kEvalTokensPerForward;
  return std::max<int64_t>(1, kEvalTokensPerForward * rows / rows_by_default);
}

std::optional<EvalResult> run_eval(const EvalOrder& order, const std::vector<EvalItem>& items,
                                   const Model& model, WorkReporter& reporter, std::stop_token stop,
                                   int64_t tokens_per_forward) {
  const std::string name = fs::path(order.spec.data).stem().string();
  reporter.phase("evaluating " + name);
  const auto found = in_less_memory(name, tokens_per_forward, longest_sequence(items, model.shape().context),
                                    model, [&](int64_t tokens) {
                                      return evaluate(
                                          model, items, order.spec.kind, order.spec.norm, stop,
                                          [&](size_t, size_t) { reporter.pulse(); }, tokens);
                                    });
  if (!found) return std::nullopt;
  return EvalResult{.id = order.id,
                    .metric = found->metric,
                    .value = found->value,
                    .sign = found->sign,
                    .stderr_ = found->stderr_,
                    .n = static_cast<int64_t>(found->items.size())};
}

Outcome run_evals(const EvalsOrder& order, const WorkFolders& folders, WorkInputs& inputs,
                  WorkReporter& reporter, std::stop_token stop) {
  reporter.phase("loading");
  const Model model = model_of(order, folders, inputs);
  const auto tokenizer = inputs.tokenizer(order.model, model.shape(), order.tokenizer_sha256);
  Outcome outcome;
  outcome.step = order.stage ? order.stage->to : 0;
  const auto start = std::chrono::steady_clock::now();
  for (const EvalOrder& eval : order.evals) {
    const auto items = inputs.eval_items(eval.spec, *tokenizer);
    const auto result =
        run_eval(eval, *items, model, reporter, stop, tokens_of_forward(order.microbatch, kEvalMicrobatch));
    if (!result) {
      outcome.kind = OutcomeKind::stopped;
      break;
    }
    reporter.eval(*result);
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

}  // namespace ranktide
