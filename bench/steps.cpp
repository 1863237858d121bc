#include "bench/steps.h"

#include <fstream>
#include <utility>

namespace ranktide::bench {

Ids ids_in(const std::filesystem::path& file) {
  Ids ids(std::filesystem::file_size(file) / sizeof(int32_t));
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(ids.data()), static_cast<std::streamsize>(ids.size() * sizeof(int32_t)));
  return ids;
}

BatchSource rows_of(const Ids& ids, const Shape& shape) {
  return [&ids, shape](Step step) {
    const int64_t tokens = shape.step_tokens();
    StepBatch out{.micro = {Batch{}}, .tokens = tokens};
    Batch& batch = out.micro.front();
    const auto first = ids.begin() + (step - 1) * tokens;
    batch.tokens.assign(first, first + tokens);
    batch.targets.assign(first + 1, first + tokens);
    batch.targets.push_back(kNoLabel);
    for (int32_t end = shape.tokens; end <= tokens; end += shape.tokens) {
      batch.segment_ends.push_back(end);
      batch.targets[static_cast<size_t>(end - 1)] = kNoLabel;
    }
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
