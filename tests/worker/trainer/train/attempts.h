#pragma once
// Attempts at one stage over a folder of checkpoints, and verbs to look at these and to spoil them.

#include <filesystem>
#include <fstream>
#include <string>

#include "common/model/safetensors.h"
#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/train/lessons.h"

namespace ranktide {

inline constexpr Step kSteps = 12;

inline Stage stage_with_dropout(Method method = Method::lora) {
  Stage stage = tiny::stage(kSteps, method);
  if (stage.settings.lora) stage.settings.lora->dropout = 0.1;
  stage.settings.train.schedule = Schedule::cosine;
  return stage;
}

inline tiny::Run attempt(const Stage& stage, const tiny::How& how, const BatchSource& data = tiny::lessons()) {
  Model model = Model::for_trial(tiny::base(), stage.settings);
  return tiny::run(stage, model, data, how);
}

inline std::string uninterrupted(const Stage& stage, const BatchSource& data = tiny::lessons()) {
  const Scratch scratch;
  return attempt(stage, {.checkpoints = scratch.path()}, data).outcome.weights_sha256;
}

inline std::filesystem::path checkpoint(const Scratch& scratch, Attempt attempt, Step step) {
  return scratch.path() / "stage" / std::to_string(attempt) / std::to_string(step);
}

inline void flip_a_byte(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-5, std::ios::end);
  const char byte = static_cast<char>(file.peek() ^ 1);
  file.seekp(-5, std::ios::end);
  file.put(byte);
}

inline Json manifest_of(const std::filesystem::path& checkpoint) {
  return tiny::read_json_file(checkpoint / "manifest.json");
}

// Writes another value, or with null none, into a checkpoint's manifest.
inline void edit_manifest(const std::filesystem::path& checkpoint, const Json& changes) {
  Json manifest = manifest_of(checkpoint);
  manifest.merge_patch(changes);
  std::ofstream(checkpoint / "manifest.json") << manifest.dump();
}

// As if the checkpoint had been written so: its state is told the same.
inline void write_as(const std::filesystem::path& checkpoint, const std::string& key, const Json& value) {
  const auto state = checkpoint / "state.safetensors", copy = checkpoint / "copy";
  const SafetensorsFile before(state);
  auto metadata = before.metadata();
  metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  write_safetensors(copy, before.tensors(), metadata);
  std::filesystem::rename(copy, state);
  edit_manifest(checkpoint, {{key, value}, {"files", {{"state.safetensors", sha256_of_file(state)}}}});
}

}  // namespace ranktide
