#pragma once
// The families of decoders that the engine computes, each as a model small enough for milliseconds that has
// what its family does differently. A table of config.json files; which fields there are is common/model's.

#include <string>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

struct Family {
  std::string name;  // model_type, or llama3 for Llama with the RoPE of Llama 3
  Json config;       // what config.json says
};

const std::vector<Family>& families();

}  // namespace ranktide
