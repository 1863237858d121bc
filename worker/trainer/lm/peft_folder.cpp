// The folder in which PEFT keeps an adapter.
#include <ATen/core/Tensor.h>
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "common/model/safetensors.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/lora.h"
#include "worker/trainer/lm/tensor_bytes.h"

namespace ranktide {
namespace {

constexpr const char* kConfigName = "adapter_config.json";
constexpr const char* kWeightsName = "adapter_model.safetensors";

Json read_json_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ModelError(path.string() + ": cannot be read; an adapter is a folder as PEFT writes it");
  std::stringstream text;
  text << in.rdbuf();
  try {
    return parse_json(text.str());
  } catch (const ProtocolError& e) {
    throw ModelError(path.string() + ": " + e.what());
  }
}

// What is read, and what by itself changes nothing that an adapter computes: notes, and details of what another
// key turns on and is refused for (init_lora_weights, megatron_config, use_qalora, modules_to_save).
bool is_told_elsewhere(const std::string& key) {
  static const std::set<std::string> keys{"r",
                                          "lora_alpha",
                                          "lora_dropout",
                                          "target_modules",
                                          "use_rslora",
                                          "auto_mapping",
                                          "base_model_name_or_path",
                                          "inference_mode",
                                          "peft_version",
                                          "revision",
                                          "runtime_config",
                                          "task_type",
                                          "corda_config",
                                          "eva_config",
                                          "loftq_config",
                                          "lora_ga_config",
                                          "megatron_core",
                                          "qalora_group_size",
                                          "ensure_weight_tying"};
  return keys.contains(key);
}

// Whether a key has the value with which PEFT computes W x + s B A x. Of a start, those that leave W as it is:
// the others (pissa, olora, corda, loftq ...) take a part of it away, which PEFT does again when it loads the
// folder. An empty object turns some variants on, with their defaults.
bool is_plain(const std::string& key, const Json& value) {
  static const std::map<std::string, std::vector<Json>> plain{
      {"init_lora_weights", {true, "gaussian", "eva", "orthogonal"}},
      {"bias", {"none"}},
      {"peft_type", {"LORA"}},
      {"rank_pattern", {Json::object()}},
      {"alpha_pattern", {Json::object()}}};
  if (value.is_null() || value == false || value == "" || value == Json::array()) return true;
  const auto found = plain.find(key);
  return found != plain.end() &&
         std::find(found->second.begin(), found->second.end(), value) != found->second.end();
}

// A key that nobody knows here may mean anything, so it stops the reading too.
void refuse_what_is_not_plain_lora(const std::filesystem::path& path, const Json& config) {
  const auto require_plain = [&](const std::string& key, const Json& value) {
    if (is_told_elsewhere(key) || is_plain(key, value)) return;
    throw ModelError(path.string() + ": \"" + key + "\" = " + value.dump() +
                     " is not implemented; where PEFT can merge the adapter into its base (merge_and_unload, "
                     "then save_pretrained), use the merged model");
  };
  if (config.contains("peft_type"))
    require_plain("peft_type", config["peft_type"]);  // it says most, so it comes first
  for (const auto& [key, value] : config.items()) require_plain(key, value);
}

}  // namespace

LoraSettings read_adapter_config(const std::filesystem::path& folder) {
  const auto path = folder / kConfigName;
  const Json config = read_json_file(path);
  refuse_what_is_not_plain_lora(path, config);
  LoraSettings lora;
  bool rank_stabilised = false;
  try {
    read_json(config.at("r"), lora.rank, "r");
    read_json(config.at("lora_alpha"), lora.alpha, "lora_alpha");
    read_json(config.at("target_modules"), lora.target, "target_modules");
    if (config.contains("lora_dropout")) read_json(config["lora_dropout"], lora.dropout, "lora_dropout");
    if (config.contains("use_rslora")) read_json(config["use_rslora"], rank_stabilised, "use_rslora");
  } catch (const std::exception& e) {
    throw ModelError(path.string() + ": " + e.what());
  }
  if (lora.rank < 1) throw ModelError(path.string() + ": \"r\" must be at least 1");
  if (lora.dropout < 0 || lora.dropout >= 1)
    throw ModelError(path.string() + ": \"lora_dropout\" must be in [0, 1)");
  if (rank_stabilised) lora.scaling = LoraScaling::alpha_over_sqrt_r;
  return lora;
}

void read_adapter_weights(ModelTensors& tensors, const std::filesystem::path& folder) {
  const auto path = folder / kWeightsName;
  const SafetensorsFile file(path);
  for (const Parameter& p : tensors.parameters) {
    const auto found = file.tensors().find(p.name);
    if (found == file.tensors().end())
      throw ModelError(path.string() + ": tensor \"" + p.name + "\" is missing");
    at::Tensor(p.value).copy_(read_tensor(p.name, found->second, p.value.sizes().vec(), at::kFloat));
  }
  if (file.tensors().size() != tensors.parameters.size())
    throw ModelError(path.string() + ": holds tensors that its config does not name");
  refresh_products(tensors);
}

void write_adapter(const ModelTensors& tensors, const std::filesystem::path& base_folder,
                   const std::filesystem::path& folder) {
  const LoraSettings& lora = tensors.lora.value();
  std::vector<at::Tensor> weights;  // what the views show
  std::map<std::string, TensorView> views;
  for (const Parameter& p : tensors.parameters) {
    weights.push_back(on_host(p.value));
    views.emplace(p.name, view_of(weights.back()));
  }
  write_safetensors(folder / kWeightsName, views);
  // Exactly these keys: an older PEFT stops at one that it does not know.
  const Json config{{"alpha_pattern", Json::object()},
                    {"auto_mapping", nullptr},
                    {"base_model_name_or_path", base_folder.string()},
                    {"bias", "none"},
                    {"exclude_modules", nullptr},
                    {"fan_in_fan_out", false},
                    {"inference_mode", true},
                    {"init_lora_weights", true},
                    {"layers_pattern", nullptr},
                    {"layers_to_transform", nullptr},
                    {"lora_alpha", lora.alpha},
                    {"lora_dropout", lora.dropout},
                    {"modules_to_save", nullptr},
                    {"peft_type", "LORA"},
                    {"r", lora.rank},
                    {"rank_pattern", Json::object()},
                    {"revision", nullptr},
                    {"target_modules", lora.target},
                    {"task_type", "CAUSAL_LM"},
                    {"use_dora", false},
                    {"use_rslora", lora.scaling == LoraScaling::alpha_over_sqrt_r}};
  std::ofstream out(folder / kConfigName, std::ios::trunc);
  out << config.dump(2) << "\n";
  out.close();
  if (!out) throw ModelError((folder / kConfigName).string() + ": cannot be written");
}

}  // namespace ranktide
