#pragma once
// A model of random weights as the Hugging Face folder that the engine reads, and the same weights beside it
// for whoever must not read them through the engine. A pure function of config and seed. Shows LibTorch.

#include <cstdint>
#include <filesystem>

#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// Writes config.json and model.safetensors into `folder`, which is made. Returns: the weights, in fp32, none of
// which trains; bf16 holds each of them exactly. Throws: ModelError when the config is none that this engine
// computes, or a file cannot be written.
Network write_random_model(const Json& config, const std::filesystem::path& folder, uint64_t seed);

}  // namespace ranktide
