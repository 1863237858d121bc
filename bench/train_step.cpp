// Seconds of one optimizer step of the engine alone: no worker, no data, random tokens, one micro-batch.
//
//     ninja -C build/dev train_step
//     build/dev/bench/train_step MODEL_FOLDER lora|full fp32|bf16 ROWS TOKENS THREADS STEPS
//
// Prints medians of all steps but the first two (page faults, kernel caches): seconds by the clock and of the
// processor, which a busy machine distorts less; then tokens per second, the peak of resident memory and what
// the cost model predicts for it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <unistd.h>

#include "common/model/cost.h"
#include "common/vocabulary/random.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

constexpr size_t kWarmSteps = 2;

struct Shape {
  int rows = 0;
  int tokens = 0;  // of a row
};

BatchSource random_rows(const Shape& shape, int64_t vocabulary) {
  return [shape, vocabulary](Step step) {
    SplitMix64 chance(static_cast<uint64_t>(step));
    StepBatch out{.micro = {Batch{}}, .tokens = int64_t{shape.rows} * shape.tokens};
    Batch& batch = out.micro.front();
    for (int64_t i = 0; i < out.tokens; ++i) {
      batch.tokens.push_back(static_cast<int32_t>(chance.below(static_cast<uint64_t>(vocabulary))));
      batch.targets.push_back(batch.tokens.back());
      if ((i + 1) % shape.tokens == 0) batch.segment_ends.push_back(static_cast<int32_t>(i + 1));
    }
    return out;
  };
}

TrialSettings settings_of(const std::string& method, const std::string& dtype) {
  TrialSettings settings;
  settings.method = method == "full" ? Method::full : Method::lora;
  settings.model.dtype = dtype == "bf16" ? Dtype::bf16 : Dtype::fp32;
  if (settings.method == Method::lora)
    settings.lora =
        LoraSettings{.rank = 16,
                     .alpha = 32,
                     .target = {"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}};
  settings.train.lr = 1e-4;
  settings.train.schedule = Schedule::constant;
  settings.train.warmup = {.steps = 0, .share = {}};
  return settings;
}

struct Timing {
  std::vector<double> seconds, processor_seconds;  // of each step
  int64_t memory_peak_bytes = 0;
};

Timing time_steps(Model& model, const TrialSettings& settings, const Shape& shape, Step steps) {
  const Stage stage{.id = StageId{"bench"},
                    .trial = TrialId{"bench"},
                    .base = BaseId{"bench"},
                    .from = 0,
                    .to = steps,
                    .settings = settings};
  Timing timing;
  std::clock_t last = std::clock();
  const TrainHooks hooks{.on_progress = [&](const StepProgress& p) {
    const std::clock_t now = std::clock();
    timing.seconds.push_back(shape.rows * shape.tokens / p.tokens_per_second);
    timing.processor_seconds.push_back(static_cast<double>(now - last) / CLOCKS_PER_SEC);
    last = now;
  }};
  const auto folder = std::filesystem::temp_directory_path() / ("train_step." + std::to_string(::getpid()));
  timing.memory_peak_bytes =
      train(stage, model, random_rows(shape, model.shape().vocabulary), {.checkpoints = folder}, hooks, {})
          .memory_peak_bytes;
  std::filesystem::remove_all(folder);
  return timing;
}

double median_after_warm(std::vector<double> seconds) {
  seconds.erase(seconds.begin(), seconds.begin() + kWarmSteps);
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

int run(char** args) {
  const Shape shape{.rows = std::atoi(args[4]), .tokens = std::atoi(args[5])};
  const TrialSettings settings = settings_of(args[2], args[3]);
  const Step steps = std::atoi(args[7]);
  start_engine(std::atoi(args[6]));
  Model model = Model::for_trial(Base::load(args[1], settings.model.dtype), settings);
  const Timing timing = time_steps(model, settings, shape, steps);
  const double median = median_after_warm(timing.seconds), tokens = shape.rows * shape.tokens;
  const StepLoad load{.tokens = static_cast<int64_t>(tokens), .sequence = shape.tokens};
  std::printf(
      "%s %s %dx%d, %s thread(s): first step %.2f s, then %.3f s (processor %.3f s), %.0f tokens/s, "
      "%.1f GFLOP/s, peak %.2f GB, predicted %.2f GB\n",
      args[2], args[3], shape.rows, shape.tokens, args[6], timing.seconds.front(), median,
      median_after_warm(timing.processor_seconds), tokens / median,
      1e-9 * tokens * flops_per_token(settings, model.shape(), load) / median,
      1e-9 * static_cast<double>(timing.memory_peak_bytes),
      1e-9 * static_cast<double>(predicted_peak_bytes(settings, model.shape(), load)));
  return 0;
}

}  // namespace
}  // namespace ranktide

int main(int count, char** args) {
  if (count == 8 && std::atoi(args[7]) > 2) return ranktide::run(args);
  std::fprintf(stderr, "usage: %s MODEL_FOLDER lora|full fp32|bf16 ROWS TOKENS THREADS STEPS(> 2)\n", args[0]);
  return 2;
}
