#include "worker/trainer/program/work_inputs.h"

#include <utility>

#include "common/model/base_identity.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/program/file_stamp.h"
#include "worker/trainer/program/model_choice.h"
#include "worker/trainer/program/weight_delta.h"

namespace ranktide {
namespace {

std::string data_stamp(const DataSettings& settings) {
  std::string stamp;
  for (const DataSource& source : settings.train) stamp += file_stamp(source.path);
  if (settings.replay) stamp += file_stamp(settings.replay->path);
  return stamp;
}

void require_content(const EvalSpec& spec) {
  if (spec.data_sha256.empty() || sha256_of_file(spec.data) == spec.data_sha256) return;
  throw WorkError(spec.data +
                  ": the evaluation file is not the one that this sweep was planned with; put the old one "
                  "back, or submit the sweep again to evaluate on the new one");
}

}  // namespace

WorkInputs::WorkInputs(std::filesystem::path cache_folder, const at::Device& device)
    : cache_folder_(std::move(cache_folder)), device_(device) {}

void WorkInputs::require_base(const ModelSettings& model, const BaseId& expected) {
  const std::string stamp = file_stamp(model.path);
  const auto found = base_ids_.get(stamp, [&] { return std::make_shared<BaseId>(base_id_of(model.path)); });
  if (*found != expected)
    throw WorkError(model.path + ": holds base " + found->brief() + ", but the work was planned for base " +
                    expected.brief() + "; put the old files back, or submit the sweep again for the new ones");
}

std::shared_ptr<const Base> WorkInputs::base(const ModelSettings& model, const BaseId& expected) {
  require_base(model, expected);
  return weights(model.path, model.dtype);
}

std::shared_ptr<const Base> WorkInputs::changed(const ModelSettings& model, const BaseId& expected,
                                                const std::filesystem::path& folder) {
  require_base(model, expected);
  const std::string key =
      std::string(text_of(model.dtype)) + "\n" + file_stamp(model.path) + "\n" + file_stamp(folder);
  return bases_.get(key, [&] { return load_restored(model.path, expected, model.dtype, device_, folder); });
}

std::shared_ptr<const Base> WorkInputs::weights(const std::filesystem::path& folder, Dtype dtype) {
  const std::string key = std::string(text_of(dtype)) + "\n" + file_stamp(folder);
  return bases_.get(key, [&] { return Base::load(folder, dtype, device_); });
}

std::shared_ptr<const Tokenizer> WorkInputs::tokenizer(const ModelSettings& model, const ModelShape& shape,
                                                       const std::string& expected_sha256) {
  const std::string folder = model.tokenizer.empty() ? model.path : model.tokenizer;
  auto loaded =
      tokenizers_.get(file_stamp(folder), [&] { return std::make_shared<Tokenizer>(Tokenizer::load(folder)); });
  if (loaded->sha256() != expected_sha256)
    throw WorkError(
        folder +
        ": the tokenizer is not the one that this sweep was planned with; put the old file back, or "
        "submit the sweep again for the new one");
  require_fit(*loaded, shape, folder);
  return loaded;
}

std::shared_ptr<const Dataset> WorkInputs::dataset(const DataSettings& settings, const Tokenizer& tokenizer,
                                                   const std::string& expected_sha256) {
  const std::string key = to_json(settings).dump() + tokenizer.sha256() + data_stamp(settings);
  auto loaded = datasets_.get(
      key, [&] { return std::make_shared<Dataset>(load_dataset(settings, tokenizer, cache_folder_)); });
  if (loaded->summary.sha256 != expected_sha256)
    throw WorkError(settings.train.front().path +
                    ": the training data is not what this sweep was planned with; put the old files back, or "
                    "submit the sweep again to train on the new ones");
  return loaded;
}

std::shared_ptr<const std::vector<EvalItem>> WorkInputs::eval_items(const EvalSpec& spec,
                                                                    const Tokenizer& tokenizer) {
  const std::string key = to_json(spec).dump() + tokenizer.sha256() + file_stamp(spec.data);
  return eval_items_.get(key, [&] {
    require_content(spec);
    return std::make_shared<std::vector<EvalItem>>(load_eval_items(spec, tokenizer));
  });
}

void WorkInputs::clear() {
  bases_.clear();
  datasets_.clear();
  eval_items_.clear();
}

}  // namespace ranktide
