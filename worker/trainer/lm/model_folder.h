#pragma once
// Writing a whole model as a Hugging Face folder, so that transformers and vLLM load it unchanged.
// Engine-internal.

#include <filesystem>

#include "worker/trainer/lm/model.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// Writes model.safetensors (masters where there are some, in fp32) and copies config, generation settings and
// tokenizer from the base's folder; the dtype in config.json is set to what was written. Requires: the folder
// exists. Throws: ModelError when a file cannot be written.
void write_model_folder(const Network& network, const Base& base, const std::filesystem::path& folder);

}  // namespace ranktide
