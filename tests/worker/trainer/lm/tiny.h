#pragma once
// The tiny models of tests/golden/make_model_goldens.py and the words that tests about them use.

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/model/safetensors.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/model.h"

namespace ranktide::tiny {

inline std::filesystem::path folder(const std::string& name) {
  return std::filesystem::path(RANKTIDE_SOURCE_DIR) / "tests/golden/tiny" / name;
}

inline std::shared_ptr<const Base> base(const std::string& name = "llama", Dtype dtype = Dtype::fp32) {
  start_engine(1);
  return Base::load(folder(name), dtype);
}

inline Json read_json_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

inline std::vector<int32_t> prompt() {
  return read_json_file(folder("prompt.json")).get<std::vector<int32_t>>();
}

// The reference's fp32 logits of the prompt, [T, V].
inline std::vector<float> reference_logits(const std::string& name) {
  const SafetensorsFile file(folder(name) / "logits.safetensors");
  const auto bytes = file.tensors().at("logits").bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
  return largest;
}

inline LoraSettings lora_all(int rank = 4) {
  return {.rank = rank,
          .alpha = 2.0 * rank,
          .target = {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}};
}

}  // namespace ranktide::tiny
