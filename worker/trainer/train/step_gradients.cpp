#include "worker/trainer/train/step_gradients.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <string>
#include <vector>

#include "common/vocabulary/check.h"
#include "common/vocabulary/failpoint.h"
#include "worker/trainer/lm/transformer.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

void check_batch(const Batch& batch, Step step, int64_t vocabulary) {
  RT_CHECK(!batch.tokens.empty());
  RT_CHECK(batch.tokens.size() == batch.targets.size());
  RT_CHECK(!batch.segment_ends.empty());
  const auto foreign = [vocabulary](int32_t id) { return id < 0 || id >= vocabulary; };
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    if (!foreign(batch.tokens[i]) && (batch.targets[i] == kNoLabel || !foreign(batch.targets[i]))) continue;
    const int32_t id = foreign(batch.tokens[i]) ? batch.tokens[i] : batch.targets[i];
    throw TrainError("step " + std::to_string(step) + ": token id " + std::to_string(id) +
                     " is outside the model's vocabulary of " + std::to_string(vocabulary) +
                     "; the tokenizer does not belong to this model");
  }
}

// Adds d(loss)/d(parameters) of one micro-batch into the flat gradients, and its share of the step's loss to
// `loss`.
void accumulate(Model& model, const Batch& batch, const Chance& chance, double scale, const at::Tensor& loss) {
  std::vector<int32_t> rows, targets;
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    if (batch.targets[i] == kNoLabel) continue;
    rows.push_back(static_cast<int32_t>(i));
    targets.push_back(batch.targets[i]);
  }
  if (rows.empty()) return;
  loss.add_(add_gradients(model.tensors().network, model.shape(), {batch.tokens, batch.segment_ends},
                          {rows, targets}, scale, chance, *model.base().tensors().workspace));
}

}  // namespace

int64_t labels_of(const StepBatch& data) {
  int64_t n = 0;
  for (const Batch& batch : data.micro)
    for (const int32_t target : batch.targets) n += target != kNoLabel;
  return n;
}

void check_step(const StepBatch& data, Step step, int64_t vocabulary) {
  for (const Batch& batch : data.micro) check_batch(batch, step, vocabulary);
}

double gradients_of_step(Model& model, const StepBatch& data, const TrialSettings& settings, Step step,
                         int64_t labels) {
  model.tensors().grads.zero_();
  const double scale = 1 / static_cast<double>(labels);
  Chance chance = chance_of(settings, step);
  // Summed up where it is made and read once: a device that is asked after each micro-batch runs dry.
  const at::Tensor loss = at::zeros({}, at::TensorOptions(model.base().device()).dtype(at::kDouble));
  for (const Batch& batch : data.micro) {
    accumulate(model, batch, chance, scale, loss);
    chance.first_token += std::ssize(batch.tokens);
    pass_failpoint("microbatch_done");
  }
  return loss.item<double>();
}

}  // namespace ranktide
