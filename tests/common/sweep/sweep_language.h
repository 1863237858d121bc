#pragma once
// The small language of the sweep tests: a text becomes a spec, a spec its trials, a mistake its message.

#include <set>
#include <string>
#include <vector>

#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/sweep_yaml.h"

namespace ranktide {

// The least that every sweep needs, so that a test shows only what it is about.
inline const std::string kHead =
    "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 4}\ntrain: {lr: 1e-4}\n";
inline const std::string kLora = kHead + "method: lora\nlora.rank: 8\n";

inline SweepSpec sweep(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_sweep(text, "bad.yaml", "/sweeps", overrides);
}

// Every input was read: trunks are named by content.
inline SweepSpec with_a_data_index(SweepSpec spec, const std::string& data = "data") {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const ModelSettings& model : wanted.models)
    spec.inputs.models[model_key(model)] = {
        .path = model.path, .base = BaseId{"base"}, .tokenizer_sha256 = "words"};
  for (const WantedData& each : wanted.data)
    spec.inputs.data[data_key(each.data, "words")] = {
        .sha256 = data, .documents = 9, .tokens = 900, .rows = 90};
  return spec;
}

inline std::string error_of(auto&& act) {
  try {
    act();
  } catch (const SpecError& e) {
    return e.what();
  }
  return "no error";
}

inline std::string error_in(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return error_of([&] { sweep(text, overrides); });
}

inline std::vector<SweepTrial> trials_of(const SweepSpec& spec) {
  const Grid grid(spec);
  std::vector<SweepTrial> out;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (auto trial = grid.at(raw)) out.push_back(*std::move(trial));
  return out;
}

inline std::set<std::string> ids_of(const SweepSpec& spec) {
  std::set<std::string> out;
  for (const auto& trial : trials_of(spec)) out.insert(trial.id.text);
  return out;
}

}  // namespace ranktide
