// Optimizer steps of the engine alone, cut into the micro-batches of a trial: no worker, no service.
//
//     ninja -C build/dev train_step
//     build/dev/bench/train_step MODEL_FOLDER METHOD fp32|bf16 ROWS TOKENS THREADS STEPS [IDS|products=FILE]
//
// IDS is a file of token ids, int32 in the processor's byte order: row after row is trained on. Without it
// tokens are random. Prints one line of JSON: seconds of every step by the clock and of the processor, which a
// busy machine distorts less; medians of all steps but the first two (page faults, kernel caches); every loss;
// the peak of resident memory of the steps, what the cost model predicts for it, and that of the whole process.
// METHOD is full, lora (rank 16 on all linears) or lora:RANK:TARGET. With products=FILE, a table that
// `ranktide-trainer gemm --json` printed, also the seconds that it predicts; with 0 steps these alone.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/steps.h"
#include "common/model/cost.h"
#include "common/model/microbatch.h"
#include "common/model/step_time.h"
#include "common/sweep/setting_check.h"
#include "common/vocabulary/random.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

constexpr size_t kWarmSteps = 2;

using bench::Ids;
using bench::Shape;

Ids random_ids(int64_t count, int64_t vocabulary) {
  SplitMix64 chance(1);
  Ids ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(chance.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

// METHOD is full, lora, or lora:RANK:TARGET.
TrialSettings settings_of(const std::string& method, const std::string& dtype_text, const Shape& shape) {
  const Dtype dtype = dtype_text == "bf16" ? Dtype::bf16 : Dtype::fp32;
  if (method == "full") return bench::full_settings(dtype, shape);
  const size_t rank_at = method.find(':'), target_at = method.rfind(':');
  const bool is_plain = rank_at == std::string::npos;
  const int rank = is_plain ? 16 : std::stoi(method.substr(rank_at + 1));
  return bench::lora_settings(dtype, shape, rank, modules_of(is_plain ? "all" : method.substr(target_at + 1)));
}

struct Measured {
  std::vector<double> seconds, processor_seconds, losses;  // of each step
  int64_t memory_peak_bytes = 0;
};

Measured measure(Model& model, const TrialSettings& settings, const BatchSource& batches, Step steps) {
  const Stage stage = bench::stage_of(settings, steps);
  Measured measured;
  std::clock_t last = std::clock();
  int64_t tokens_before = 0;
  const TrainHooks hooks{.on_progress = [&](const StepProgress& p) {
    const std::clock_t now = std::clock();
    measured.seconds.push_back(static_cast<double>(p.tokens - tokens_before) / p.tokens_per_second);
    measured.processor_seconds.push_back(static_cast<double>(now - last) / CLOCKS_PER_SEC);
    measured.losses.push_back(p.loss);
    last = now;
    tokens_before = p.tokens;
  }};
  const auto folder = std::filesystem::temp_directory_path() / ("train_step." + std::to_string(::getpid()));
  measured.memory_peak_bytes =
      train(stage, model, batches, {.checkpoints = folder}, hooks, {}).memory_peak_bytes;
  std::filesystem::remove_all(folder);
  return measured;
}

int64_t life_peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

double median_after_warm(std::vector<double> seconds) {
  seconds.erase(seconds.begin(), seconds.begin() + kWarmSteps);
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

constexpr std::string_view kProducts = "products=";

nlohmann::ordered_json predicted_seconds(const std::string& file, const TrialSettings& settings,
                                         const ModelShape& model, const Shape& shape) {
  std::ifstream in(file);
  const auto table = from_json<ProductTable>(Json::parse(in));
  const int rows = microbatch_rows(model, settings, DeviceClass::cpu);
  const StepSeconds s =
      training_step_seconds(ProductSpeeds(table), settings, model, largest_load(settings, rows),
                            static_cast<double>(shape.rows) / rows);
  return {{"predicted_seconds", s.sum()},
          {"predicted_parts",
           {{"products", s.products}, {"elementwise", s.elementwise}, {"optimizer", s.optimizer}}}};
}

int run(int count, char** args) {
  const Shape shape{.rows = std::atoi(args[4]), .tokens = std::atoi(args[5])};
  const TrialSettings settings = settings_of(args[2], args[3], shape);
  const Step steps = std::atoi(args[7]);
  nlohmann::ordered_json predicted = nlohmann::ordered_json::object();
  if (count == 9 && std::string_view(args[8]).starts_with(kProducts)) {
    predicted = predicted_seconds(args[8] + kProducts.size(), settings, read_shape(args[1]), shape);
    --count;
  }
  if (steps == 0) return std::puts(predicted.dump().c_str()), 0;
  start_engine(std::atoi(args[6]));
  Model model = Model::for_trial(Base::load(args[1], settings.model.dtype), settings);
  const int64_t tokens = shape.step_tokens();
  const Ids ids = count == 9 ? bench::ids_in(args[8]) : random_ids(tokens * steps, model.shape().vocabulary);
  if (std::ssize(ids) < tokens * steps) {
    std::fprintf(stderr, "%s holds %td ids, %ld steps need %ld\n", args[8], std::ssize(ids), long{steps},
                 long{tokens * steps});
    return 2;
  }
  const int rows = microbatch_rows(model.shape(), settings, DeviceClass::cpu);
  const Measured measured = measure(model, settings, bench::rows_of(ids, shape, rows), steps);
  const double median = median_after_warm(measured.seconds);
  const StepLoad load = largest_load(settings, rows);
  nlohmann::ordered_json out{{"seconds", median},
                             {"processor_seconds", median_after_warm(measured.processor_seconds)},
                             {"gflop_per_second", 1e-9 * static_cast<double>(tokens) *
                                                      flops_per_token(settings, model.shape(), load) / median},
                             {"peak_bytes", measured.memory_peak_bytes},
                             {"life_peak_bytes", life_peak_bytes()},
                             {"predicted_peak_bytes", predicted_peak_bytes(settings, model.shape(), load)},
                             {"losses", measured.losses},
                             {"step_seconds", measured.seconds}};
  out.update(predicted);
  std::puts(out.dump().c_str());
  return 0;
}

// Enough to leave the warm ones out, or none, where there is something to print without any.
bool is_count_of_steps(Step steps, bool has_products) {
  return steps > static_cast<Step>(kWarmSteps) || (steps == 0 && has_products);
}

}  // namespace
}  // namespace ranktide

int main(int count, char** args) {
  const bool has_products = count == 9 && std::string_view(args[8]).starts_with(ranktide::kProducts);
  if ((count == 8 || count == 9) && ranktide::is_count_of_steps(std::atoi(args[7]), has_products))
    return ranktide::run(count, args);
  std::fprintf(stderr,
               "usage: %s MODEL_FOLDER METHOD fp32|bf16 ROWS TOKENS THREADS STEPS(> 2) [IDS|products=FILE]\n",
               args[0]);
  return 2;
}
