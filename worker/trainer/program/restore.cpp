// `restore`: full weights from a base and what `run.keep: delta` kept of a trial.

#include <ATen/core/Tensor.h>
#include <iostream>
#include <memory>

#include "common/model/base_identity.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/weight_delta.h"

namespace ranktide {
namespace {

struct RestoreOptions {
  std::string model;
  std::string delta;
  std::string output;
};

// The base may be what is named by mistake, and is read while the output is written.
void require_empty(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder))
    throw ModelError(folder.string() + ": is not empty; name a new folder with -o");
}

int restore(const RestoreOptions& options) {
  require_empty(options.output);
  const BaseId base = base_id_of(options.model);
  Model::untouched(load_restored(options.model, base, Dtype::fp32, at::kCPU, options.delta))
      .save(options.output);
  std::cout << options.output << "\n";
  return kExitOk;
}

}  // namespace

std::function<int()> setup_restore(CLI::App& command) {
  const auto options = std::make_shared<RestoreOptions>();
  command.add_option("--model", options->model, "Hugging Face folder of the base that was trained")->required();
  command.add_option("--delta", options->delta, "folder with delta.json, as `ranktide fetch` brings it")
      ->required();
  command.add_option("-o,--output", options->output, "folder to write; new or empty")->required();
  return [options] { return restore(*options); };
}

}  // namespace ranktide
