#pragma once
// The options by which a window is told what to compute with: a base, an adapter on it, a dtype, threads, a
// device.

#include <CLI/CLI.hpp>
#include <string>

#include "common/text/tokenizer.h"
#include "worker/trainer/lm/model.h"

namespace ranktide {

struct ModelChoice {
  std::string folder;
  std::string adapter;  // PEFT folder; empty: the base as it is
  std::string dtype = "fp32";
  int threads = 1;
  std::string device = "cpu";

  void add_options(CLI::App& command);
  // Starts the engine and loads. Throws: ModelError; NoDevice.
  Model load() const;
};

// What computes, as device.h's device_named reads it.
void add_device_option(CLI::App& command, std::string& device);

// Throws: ModelError when the tokenizer has ids that the model's embedding does not.
void require_fit(const Tokenizer& tokenizer, const ModelShape& shape, const std::string& tokenizer_folder);

}  // namespace ranktide
