#include "worker/trainer/program/model_choice.h"

#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {

void ModelChoice::add_options(CLI::App& command) {
  command.add_option("--model", folder, "Hugging Face folder of the base model")->required();
  command.add_option("--adapter", adapter, "PEFT folder of an adapter on it");
  command.add_option("--dtype", dtype, "of the products: fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  command.add_option("--threads", threads, "CPU threads")->check(CLI::Range(1, 1024))->capture_default_str();
  add_device_option(command, device);
}

Model ModelChoice::load() const {
  start_engine(threads);
  auto base = Base::load(folder, *enum_of<Dtype>(dtype), device_named(device));
  return adapter.empty() ? Model::untouched(std::move(base)) : Model::with_adapter(std::move(base), adapter);
}

void add_device_option(CLI::App& command, std::string& device) {
  command
      .add_option(
          "--device", device,
          "what computes: cpu, or cuda, the first that CUDA_VISIBLE_DEVICES shows; cuda takes LibTorch's CUDA "
          "build, and was never tried on a real GPU")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
}

void require_fit(const Tokenizer& tokenizer, const ModelShape& shape, const std::string& tokenizer_folder) {
  if (tokenizer.vocab_size() <= shape.vocabulary) return;
  throw ModelError(tokenizer_folder + ": the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
                   " token ids, but the model embeds " + std::to_string(shape.vocabulary) +
                   "; use the tokenizer that belongs to the model");
}

}  // namespace ranktide
