#pragma once
// What works are made of, loaded and checked: base, tokenizer, data set, eval items. Kept between works,
// because a sweep's trials ask for the same ones again and again. Content is verified where the work names a
// hash, so that a file changed since the sweep was planned is an error and not a wrong result. The engine
// thread.

#include <c10/core/Device.h>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

#include "common/text/data_index.h"
#include "common/text/eval_items.h"
#include "common/text/tokenizer.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/program/kept.h"

namespace ranktide {

// A work that cannot be done as it stands: its inputs are not what it was planned for, or it asks for what is
// not kept here. The text says what, where, and what to do.
struct WorkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class WorkInputs {
 public:
  // Weights are loaded to the device.
  WorkInputs(std::filesystem::path cache_folder, const at::Device& device);

  // Throws: WorkError when the folder's content is not `expected`; ModelError.
  std::shared_ptr<const Base> base(const ModelSettings& model, const BaseId& expected);
  // The base as the kept delta in `folder` changes it. Throws: as base; ModelError when the delta is damaged,
  // or of another base.
  std::shared_ptr<const Base> changed(const ModelSettings& model, const BaseId& expected,
                                      const std::filesystem::path& folder);
  // The weights of a folder whose content nobody has promised: kept full weights.
  std::shared_ptr<const Base> weights(const std::filesystem::path& folder, Dtype dtype);
  // Throws: WorkError when it is not `expected_sha256`; TokenizerError; ModelError when it does not belong to
  // the model.
  std::shared_ptr<const Tokenizer> tokenizer(const ModelSettings& model, const ModelShape& shape,
                                             const std::string& expected_sha256);
  // Throws: WorkError when the data's content is not `expected_sha256`; DataError.
  std::shared_ptr<const Dataset> dataset(const DataSettings& settings, const Tokenizer& tokenizer,
                                         const std::string& expected_sha256);
  // Throws: WorkError when the file's content is not spec.data_sha256 (where that is set); DataError.
  std::shared_ptr<const std::vector<EvalItem>> eval_items(const EvalSpec& spec, const Tokenizer& tokenizer);
  // Lets everything go, after memory has run out.
  void clear();

 private:
  void require_base(const ModelSettings& model, const BaseId& expected);

  std::filesystem::path cache_folder_;
  at::Device device_;
  Kept<Base> bases_{1};  // by far the largest: never two at once
  Kept<BaseId> base_ids_{8};
  Kept<Tokenizer> tokenizers_{4};
  Kept<Dataset> datasets_{4};
  Kept<std::vector<EvalItem>> eval_items_{16};
};

}  // namespace ranktide
