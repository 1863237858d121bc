#pragma once
// The shape of a Llama-style decoder, read from a Hugging Face config.json as transformers 4 and 5 write it.
// Not the weights. Every field that would change the arithmetic and is not known here is refused by name,
// because a model that is computed slightly wrong is worse than one that is refused.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/model/model_error.h"
#include "common/vocabulary/model_shape.h"

namespace ranktide {

// Returns: the shape of the model in this folder.
// Throws: ModelError when config.json is missing, malformed, of an unknown family, or asks for arithmetic that
// is not implemented (sliding windows, other RoPE scalings, mixtures of experts, quantised weights ...).
ModelShape read_shape(const std::filesystem::path& folder);

// A linear of a decoder layer by its module name: q_proj k_proj v_proj o_proj gate_proj up_proj down_proj.
struct LinearShape {
  int64_t in = 0;
  int64_t out = 0;
};

// Returns: nullopt when no such linear exists.
std::optional<LinearShape> linear_shape(const ModelShape& shape, const std::string& module);

}  // namespace ranktide
