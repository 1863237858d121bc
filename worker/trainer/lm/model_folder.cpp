#include "worker/trainer/lm/model_folder.h"

#include <fstream>

#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {
namespace {

constexpr const char* kCopied[] = {
    "generation_config.json",  "tokenizer.json",    "tokenizer.model", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json",      "merges.txt",
    "chat_template.jinja"};

void copy_into(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code failed;
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, failed);
  if (failed)
    throw ModelError(to.string() + ": cannot be copied from " + from.string() + ": " + failed.message());
}

void write_config(const std::filesystem::path& from, const std::filesystem::path& to,
                  const std::string& dtype) {
  std::ifstream in(from);
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(in);  // keeps the order that people know
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = dtype;
  std::ofstream out(to, std::ios::trunc);
  out << config.dump(2) << "\n";
  out.close();
  if (!out) throw ModelError(to.string() + ": cannot be written");
}

}  // namespace

void write_model_folder(const Network& network, const Base& base, const std::filesystem::path& folder) {
  Network shared = network;  // the tensors are shared, not copied
  const bool has_masters = network.embedding.w.trains();
  std::map<std::string, at::Tensor> weights;
  std::map<std::string, TensorForm> forms;
  for (const ParameterSlot& slot : weight_slots(shared, base.shape())) {
    const at::Tensor& weight = has_masters ? slot.weight->master : slot.weight->value;
    weights.emplace(slot.name, weight);
    forms.emplace(slot.name, form_of(weight));
  }
  at::Tensor copy;  // of a device's, one at a time
  stream_safetensors(folder / "model.safetensors", forms, [&](const std::string& name) {
    copy.reset();
    copy = on_host(weights.at(name));
    return view_of(copy).bytes;
  });
  const bool fp32 = has_masters || base.dtype() == Dtype::fp32;
  write_config(base.folder() / "config.json", folder / "config.json", fp32 ? "float32" : "bfloat16");
  for (const char* name : kCopied)
    if (std::filesystem::exists(base.folder() / name)) copy_into(base.folder() / name, folder / name);
}

}  // namespace ranktide
