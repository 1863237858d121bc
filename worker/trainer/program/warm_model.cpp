#include "worker/trainer/program/warm_model.h"

#include "common/vocabulary/check.h"
#include "worker/trainer/program/failure.h"
#include "worker/trainer/program/weight_delta.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

fs::path kept_of(const TrialId& source, const Stage& stage, const WorkFolders& folders) {
  const fs::path kept = folders.artifact_of(source);
  if (fs::is_directory(kept)) return kept;
  throw LastingError(
      kept.string() + ": what trial " + source.brief() + " left is not here, and trial " + stage.trial.brief() +
      " starts from it: its run.keep asked for none, or it went to make room (--artifacts-max of "
      "this worker)");
}

// An adapter on full weights begins as one on any base.
bool begins_with_its_source(const Stage& stage) {
  return stage.start && (stage.start->method == Method::lora || stage.settings.method == Method::full);
}

Model full_from(const std::shared_ptr<const Base>& base, const Stage& stage, const fs::path& kept) {
  const uint64_t seed = stage.settings.seed;
  if (!is_weight_delta(kept)) return Model::full_from(base, seed, kept, {});
  const WeightDelta changes(kept);
  if (changes.base() != stage.base)
    throw ModelError(kept.string() + ": is the difference to base " + changes.base().brief() +
                     ", and the trial's is " + stage.base.brief());
  return Model::full_from(base, seed, base->folder(), [&](const std::string& name, std::span<uint32_t> values) {
    changes.apply(name, values);
  });
}

}  // namespace

std::shared_ptr<const Base> base_under(const Stage& stage, const ModelSettings& model,
                                       const WorkFolders& folders, WorkInputs& inputs) {
  const bool lies_on_weights =
      stage.settings.method == Method::lora && stage.start && stage.start->weights.has_value();
  if (!lies_on_weights) return inputs.base(model, stage.base);
  const fs::path kept = kept_of(*stage.start->weights, stage, folders);
  return is_weight_delta(kept) ? inputs.changed(model, stage.base, kept) : inputs.weights(kept, model.dtype);
}

bool is_source_here(const Stage& stage, const WorkFolders& folders) {
  return !begins_with_its_source(stage) || fs::is_directory(folders.artifact_of(stage.start->trial));
}

Model first_model(const std::shared_ptr<const Base>& base, const Stage& stage, const WorkFolders& folders) {
  const TrialSettings& settings = stage.settings;
  if (!begins_with_its_source(stage)) return Model::for_trial(base, settings);
  const fs::path kept = kept_of(stage.start->trial, stage, folders);
  if (settings.method == Method::full) return full_from(base, stage, kept);
  RT_CHECK(settings.lora.has_value());
  return Model::with_lora_from(base, *settings.lora, settings.seed, kept);
}

}  // namespace ranktide
