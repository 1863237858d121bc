// `logits`: the window on the forward pass.

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "common/model/safetensors.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/model_choice.h"
#include "worker/trainer/program/text_lines.h"

namespace ranktide {
namespace {

struct LogitsOptions {
  ModelChoice model;
  std::string ids;
  std::string output;
};

using Tokens = std::vector<int32_t>;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw std::runtime_error(where + ": " + what +
                           "; each line is one JSON list of token ids, as `tokenize` prints it");
}

Tokens read_ids(const std::string& line, const std::string& where, int64_t vocabulary) {
  const auto ids = nlohmann::json::parse(line, nullptr, false);
  if (!ids.is_array() || ids.empty()) refuse(where, "expected a list with at least one id");
  Tokens tokens;
  for (const auto& id : ids) {
    if (!id.is_number_integer()) refuse(where, "an entry of the list is not an integer");
    const auto value = id.get<int64_t>();
    if (value < 0 || value >= vocabulary)
      refuse(where, "id " + id.dump() + " is outside the model's vocabulary of " + std::to_string(vocabulary));
    tokens.push_back(static_cast<int32_t>(value));
  }
  return tokens;
}

int write_logits(const LogitsOptions& options) {
  const std::vector<std::string> lines = split_lines(read_all(options.ids));
  const Model model = options.model.load();
  const int64_t vocabulary = model.shape().vocabulary;
  std::vector<Tokens> sequences;
  for (size_t n = 0; n < lines.size(); ++n)
    sequences.push_back(read_ids(lines[n], options.ids + ":" + std::to_string(n + 1), vocabulary));
  std::vector<std::vector<float>> values;
  std::map<std::string, TensorView> tensors;
  for (size_t n = 0; n < sequences.size(); ++n) {
    values.push_back(model.logits(sequences[n]));
    tensors["logits." + std::to_string(n)] = {.dtype = "F32",
                                              .shape = {static_cast<int64_t>(sequences[n].size()), vocabulary},
                                              .bytes = std::as_bytes(std::span(values.back()))};
  }
  write_safetensors(options.output, tensors);
  return kExitOk;
}

}  // namespace

std::function<int()> setup_logits(CLI::App& command) {
  const auto options = std::make_shared<LogitsOptions>();
  options->model.add_options(command);
  command.add_option("--ids", options->ids, "one JSON list of token ids per line; - for standard input")
      ->required();
  command.add_option("-o,--output", options->output, "safetensors file to write")->required();
  return [options] { return write_logits(*options); };
}

}  // namespace ranktide
