#include "bench/steps.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace ranktide::bench {

Ids ids_in(const std::filesystem::path& file) {
  Ids ids(std::filesystem::file_size(file) / sizeof(int32_t));
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(ids.data()), static_cast<std::streamsize>(ids.size() * sizeof(int32_t)));
  return ids;
}

namespace {

// So many rows of so many tokens, of which the first is `first`.
Batch batch_of(Ids::const_iterator first, int rows, int tokens) {
  Batch batch;
  batch.tokens.assign(first, first + rows * tokens);
  batch.targets.assign(first + 1, first + rows * tokens);
  batch.targets.push_back(kNoLabel);
  for (int32_t end = tokens; end <= rows * tokens; end += tokens) {
    batch.segment_ends.push_back(end);
    batch.targets[static_cast<size_t>(end - 1)] = kNoLabel;
  }
  return batch;
}

}  // namespace

BatchSource rows_of(const Ids& ids, const Shape& shape, int microbatch) {
  return [&ids, shape, microbatch](Step step) {
    StepBatch out{.micro = {}, .tokens = shape.step_tokens()};
    const auto first = ids.begin() + (step - 1) * shape.step_tokens();
    for (int row = 0; row < shape.rows; row += microbatch)
      out.micro.push_back(
          batch_of(first + row * shape.tokens, std::min(microbatch, shape.rows - row), shape.tokens));
    return out;
  };
}

TrialSettings full_settings(Dtype dtype, const Shape& shape) {
  TrialSettings settings;
  settings.method = Method::full;
  settings.model.dtype = dtype;
  settings.data.max_tokens = shape.tokens;
  settings.train.batch = shape.rows;
  settings.train.lr = 1e-4;
  settings.train.schedule = Schedule::constant;
  settings.train.warmup = {.steps = 0, .share = {}};
  return settings;
}

TrialSettings lora_settings(Dtype dtype, const Shape& shape, int rank, std::vector<std::string> target) {
  TrialSettings settings = full_settings(dtype, shape);
  settings.method = Method::lora;
  settings.lora = LoraSettings{.rank = rank, .alpha = 2.0 * rank, .target = std::move(target)};
  return settings;
}

Stage stage_of(const TrialSettings& settings, Step steps) {
  return {.id = StageId{"bench"},
          .trial = TrialId{"bench"},
          .base = BaseId{"bench"},
          .from = 0,
          .to = steps,
          .settings = settings};
}

}  // namespace ranktide::bench
