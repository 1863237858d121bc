#include "worker/trainer/lm/weights.h"

#include <ATen/ops/empty_like.h>

#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide {
namespace {

bool has_bias(const ModelShape& s, const std::string& module) {
  if (module == "o_proj") return s.o_bias;
  if (module == "q_proj" || module == "k_proj" || module == "v_proj") return s.qkv_bias;
  return s.mlp_bias;
}

ParameterSlot norm_slot(const std::string& name, int64_t size, Norm& norm) {
  return {.name = name + ".weight", .sizes = {size}, .decays = false, .stays_fp32 = true, .weight = &norm.w};
}

void add_layer_slots(std::vector<ParameterSlot>& slots, Layer& layer, const std::string& prefix,
                     const ModelShape& s) {
  slots.push_back(norm_slot(prefix + "input_layernorm", s.hidden, layer.attention_norm));
  slots.push_back(norm_slot(prefix + "post_attention_layernorm", s.hidden, layer.mlp_norm));
  for (const NamedLinear& named : kLinears) {
    Linear& linear = layer.*named.member;
    const LinearShape size = *linear_shape(s, named.module);
    const std::string name = prefix + named.block + "." + named.module;
    slots.push_back({.name = name + ".weight", .sizes = {size.out, size.in}, .weight = &linear.w});
    if (has_bias(s, named.module))
      slots.push_back({.name = name + ".bias", .sizes = {size.out}, .decays = false, .weight = &linear.bias});
  }
  if (!s.qk_norm) return;
  slots.push_back(norm_slot(prefix + "self_attn.q_norm", s.head_dim, layer.q_norm));
  slots.push_back(norm_slot(prefix + "self_attn.k_norm", s.head_dim, layer.k_norm));
}

// Returns: the file's tensor. A tied head may be stored as well; it is read as the embedding.
const TensorView& stored(const WeightFiles& files, const std::string& name) {
  const TensorView* view = files.find(name);
  if (!view) throw ModelError(files.paths().front().string() + ": tensor \"" + name + "\" is missing");
  return *view;
}

at::Tensor read_slot(const WeightFiles& files, const ParameterSlot& slot, at::ScalarType dtype) {
  try {
    return read_tensor(slot.name, stored(files, slot.name), slot.sizes, dtype);
  } catch (const ModelError& e) {
    throw ModelError(files.paths().front().parent_path().string() + ": " + e.what());
  }
}

void apply(const WeightChange& change, const std::string& name, const at::Tensor& values) {
  const at::Tensor words = values.view(at::kInt);
  change(name,
         {reinterpret_cast<uint32_t*>(words.mutable_data_ptr<int32_t>()), static_cast<size_t>(words.numel())});
}

bool is_stored_in_bf16(const WeightFiles& files, const std::string& name) {
  const TensorView* view = files.find(name);
  return view && view->dtype == "BF16";
}

// Returns: the slot's tensor as products multiply it. What is rounded is read in fp32 first.
at::Tensor read_value(const WeightFiles& files, const ParameterSlot& slot, Dtype dtype,
                      const WeightChange& change) {
  const at::ScalarType wanted = slot.stays_fp32 ? at::kFloat : scalar_type_of(dtype);
  const bool is_rounded = wanted == at::kBFloat16 && (change || !is_stored_in_bf16(files, slot.name));
  const at::Tensor read = read_slot(files, slot, is_rounded ? at::kFloat : wanted);
  if (change) apply(change, slot.name, read);
  if (!is_rounded) return read;
  const at::Tensor out = at::empty_like(read, at::kBFloat16);
  round_weights(read, slot.offset, out);
  return out;
}

// A tensor that nothing reads means that the model is not what config.json says.
void refuse_foreign_tensors(const WeightFiles& files, const std::vector<ParameterSlot>& slots,
                            const ModelShape& shape) {
  const bool stored_tied_head = shape.tied_head && files.find("lm_head.weight");
  if (files.size() == slots.size() + (stored_tied_head ? 1 : 0)) return;
  throw ModelError(files.paths().front().parent_path().string() + ": holds " + std::to_string(files.size()) +
                   " tensors where a \"" + shape.family + "\" of this config has " +
                   std::to_string(slots.size()) + "; quantised or extended weights are not implemented");
}

}  // namespace

std::vector<ParameterSlot> weight_slots(Network& network, const ModelShape& s) {
  network.layers.resize(static_cast<size_t>(s.layers));
  std::vector<ParameterSlot> slots;
  slots.push_back(
      {.name = "model.embed_tokens.weight", .sizes = {s.vocabulary, s.hidden}, .weight = &network.embedding.w});
  for (size_t i = 0; i < network.layers.size(); ++i)
    add_layer_slots(slots, network.layers[i], "model.layers." + std::to_string(i) + ".", s);
  slots.push_back(norm_slot("model.norm", s.hidden, network.final_norm));
  if (!s.tied_head)
    slots.push_back({.name = "lm_head.weight", .sizes = {s.vocabulary, s.hidden}, .weight = &network.head.w});
  return slots;
}

void tie(Network& network, const ModelShape& shape) {
  if (shape.tied_head) network.head = network.embedding;
}

Network load_network(const std::filesystem::path& folder, const ModelShape& shape, Dtype dtype,
                     at::Device device, const WeightChange& change) {
  const WeightFiles files(folder);
  Network network;
  auto slots = weight_slots(network, shape);
  lay_out(slots);
  for (const ParameterSlot& slot : slots)
    slot.weight->value = read_value(files, slot, dtype, change).to(device);
  refuse_foreign_tensors(files, slots, shape);
  tie(network, shape);
  return network;
}

void load_parameters(ModelTensors& tensors, const std::filesystem::path& folder, const WeightChange& change) {
  const WeightFiles files(folder);
  for (const Parameter& p : tensors.parameters) {
    const ParameterSlot slot{.name = p.name, .sizes = p.value.sizes().vec()};
    const at::Tensor read = read_slot(files, slot, at::kFloat);
    if (change) apply(change, p.name, read);
    at::Tensor(p.value).copy_(read);
  }
}

}  // namespace ranktide
