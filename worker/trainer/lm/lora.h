#pragma once
// Adapters: W x -> W x + s B A x (Hu et al. 2021). A starts uniform, B zero, so a fresh adapter changes
// nothing. On disk it is PEFT's folder: adapter_config.json and adapter_model.safetensors. Engine-internal.

#include <filesystem>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {

// Returns: s, alpha / r or alpha / sqrt(r).
double scale_of(const LoraSettings& lora);

// Adds zero adapters to every target linear of tensors.network and makes them its parameters, under PEFT's
// names, on its device. Throws: ModelError for a target that is no linear of the model. Requires: nothing
// trains yet.
void add_adapters(ModelTensors& tensors, const LoraSettings& lora, const ModelShape& shape, Dtype dtype);

// A uniform in +-1/sqrt(in), PEFT's kaiming_uniform with a = sqrt 5, from a counter keyed by (seed, layer,
// place); B zero.
void init_adapters(ModelTensors& tensors, uint64_t seed);

// W += s B A in fp32, rounded once, to nearest in the product dtype, into new tensors: the base's stay as they
// are.
void merge_adapters(ModelTensors& tensors);

// Returns: what adapter_config.json says. Throws: ModelError for anything this engine does not compute.
LoraSettings read_adapter_config(const std::filesystem::path& folder);
void read_adapter_weights(ModelTensors& tensors, const std::filesystem::path& folder);

// Writes both files. base_folder is only named in them.
void write_adapter(const ModelTensors& tensors, const std::filesystem::path& base_folder,
                   const std::filesystem::path& folder);

}  // namespace ranktide
