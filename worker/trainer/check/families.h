#pragma once
// The families of decoders that the engine computes, each as a model small enough for milliseconds that has
// what its family does differently, and one of them once more with long rows. A table of config.json files;
// which fields there are is common/model's.

#include <cstdint>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

struct Family {
  std::string name;          // model_type, or llama3 for Llama with the RoPE of Llama 3, or long
  Json config;               // what config.json says
  int64_t longest_row = 70;  // tokens of the longest row of its first step (lessons.h)
};

const std::vector<Family>& families();

}  // namespace ranktide
