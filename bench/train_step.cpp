// Optimizer steps of the engine alone, cut into the micro-batches of a trial: no worker, no service.
//
//     ninja -C build/dev train_step
//     build/dev/bench/train_step MODEL_FOLDER METHOD fp32|bf16 ROWS TOKENS THREADS STEPS [WORD ...]
//
// METHOD is full, lora (rank 16 on all linears), or lora:RANK:TARGET or lora:RANK:TARGET:DROPOUT. Words:
//
//     ids=FILE        token ids, int32 in the processor's byte order: row after row is trained on; else random
//     start=FOLDER    the adapter to start from, as PEFT writes it
//     products=FILE   a table that `ranktide-trainer gemm --json` printed: also the seconds that it predicts;
//     with
//                     0 steps these alone
//     parts           also where the seconds went, a step in the mean, and at what rate its products ran
//     paced           prints a line and reads one before each step, so that others can take turns with it
//
// The last line is JSON: seconds of every step by the clock and of the processor, which a busy machine distorts
// less; medians of all steps but the first two (page faults, kernel caches); every loss; the peak of resident
// memory of the steps and what the cost model predicts for it, both also by term; and that of the whole
// process.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/step_parts.h"
#include "bench/steps.h"
#include "bench/train_order.h"
#include "common/model/cost.h"
#include "common/model/microbatch.h"
#include "common/model/pass_bytes.h"
#include "common/model/step_time.h"
#include "common/vocabulary/random.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide::bench {
namespace {

Ids ids_of(const Order& order, int64_t vocabulary) {
  const int64_t wanted = order.shape.step_tokens() * order.steps;
  if (!order.ids.empty()) {
    Ids ids = ids_in(order.ids);
    if (std::ssize(ids) < wanted)
      throw std::invalid_argument(order.ids.string() + " holds " + std::to_string(ids.size()) + " ids of the " +
                                  std::to_string(wanted) + " that these steps need");
    return ids;
  }
  SplitMix64 chance(1);
  Ids ids(static_cast<size_t>(wanted));
  for (int32_t& id : ids) id = static_cast<int32_t>(chance.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

// Before a step of a paced run: others wait for the line, and answer when it is this one's turn.
void wait_for_turn(const Json& told) {
  std::cout << told.dump() << std::endl;
  std::string turn;
  std::getline(std::cin, turn);
}

int64_t life_peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

struct Measured {
  std::vector<double> seconds, processor_seconds, losses;  // of each step
  int64_t memory_peak_bytes = 0;
  PassBytes held;  // by the arenas, each at its fullest
};

Measured measure(const Order& order, Model& model, const BatchSource& batches,
                 std::optional<StepParts>& parts) {
  Measured measured;
  std::clock_t last = std::clock();
  int64_t tokens_before = 0;
  const Workspace& memory = *model.base().tensors().workspace;
  const TrainHooks hooks{.on_progress = [&](const StepProgress& p) {
    measured.seconds.push_back(static_cast<double>(p.tokens - tokens_before) / p.tokens_per_second);
    measured.processor_seconds.push_back(static_cast<double>(std::clock() - last) / CLOCKS_PER_SEC);
    measured.losses.push_back(p.loss);
    measured.held = {.kept = static_cast<double>(memory.kept.most_used_bytes()),
                     .scratch = static_cast<double>(memory.scratch.most_used_bytes())};
    tokens_before = p.tokens;
    if (parts && p.step == kWarmSteps) parts->forget();
    if (order.is_paced && p.step < order.steps) wait_for_turn({{"seconds", measured.seconds.back()}});
    last = std::clock();
  }};
  const auto folder = std::filesystem::temp_directory_path() / ("train_step." + std::to_string(::getpid()));
  measured.memory_peak_bytes =
      train(stage_of(order.settings, order.steps), model, batches, {.checkpoints = folder}, hooks, {})
          .memory_peak_bytes;
  std::filesystem::remove_all(folder);
  return measured;
}

double median_after_warm(std::vector<double> seconds) {
  seconds.erase(seconds.begin(), seconds.begin() + kWarmSteps);
  std::sort(seconds.begin(), seconds.end());
  const size_t n = seconds.size();
  return (seconds[n / 2] + seconds[(n - 1) / 2]) / 2;
}

// Of a step in the mean, the warm ones left out.
nlohmann::ordered_json json_of(const StepParts& heard, const std::vector<double>& step_seconds) {
  const auto first = step_seconds.begin() + kWarmSteps;
  const auto steps = static_cast<double>(step_seconds.end() - first);
  const double step = std::accumulate(first, step_seconds.end(), 0.0) / steps;
  nlohmann::ordered_json out;
  double told = 0;
  for (const auto& [name, part] : heard.parts()) {
    out[name]["seconds"] = part.seconds / steps;
    if (part.flops > 0) out[name]["gflop_per_second"] = 1e-9 * part.flops / part.seconds;
    told += part.seconds / steps;
  }
  out["loops"]["seconds"] = step - told;
  return out;
}

// Where the peak lies: what passes hold, and what is there all the time.
nlohmann::ordered_json memory_terms(const Measured& measured, const PassBytes& planned, int64_t planned_peak) {
  const auto term = [](double predicted, double held) {
    return nlohmann::ordered_json{{"predicted", std::llround(predicted)}, {"measured", std::llround(held)}};
  };
  const auto rest = [](int64_t peak, const PassBytes& pass) {
    return static_cast<double>(peak) - pass.kept - pass.scratch;
  };
  return {{"kept", term(planned.kept, measured.held.kept)},
          {"scratch", term(planned.scratch, measured.held.scratch)},
          {"rest", term(rest(planned_peak, planned), rest(measured.memory_peak_bytes, measured.held))}};
}

nlohmann::ordered_json predicted_seconds(const Order& order) {
  std::ifstream in(order.products);
  const auto table = from_json<ProductTable>(Json::parse(in));
  const ModelShape shape = read_shape(order.model);
  const int rows = microbatch_rows(shape, order.settings, DeviceClass::cpu);
  const StepSeconds s =
      training_step_seconds(ProductSpeeds(table), order.settings, shape, largest_load(order.settings, rows),
                            static_cast<double>(order.shape.rows) / rows);
  return {{"predicted_seconds", s.sum()},
          {"predicted_parts",
           {{"products", s.products}, {"elementwise", s.elementwise}, {"optimizer", s.optimizer}}}};
}

Model model_of(const Order& order) {
  const auto base = Base::load(order.model, order.settings.model.dtype);
  return order.start.empty() ? Model::for_trial(base, order.settings) : Model::with_adapter(base, order.start);
}

nlohmann::ordered_json steps_of(const Order& order) {
  start_engine(order.threads);
  Model model = model_of(order);
  const Ids ids = ids_of(order, model.shape().vocabulary);
  const int rows = microbatch_rows(model.shape(), order.settings, DeviceClass::cpu);
  if (order.is_paced) wait_for_turn({{"microbatch_rows", rows}});
  std::optional<StepParts> parts;
  if (order.tells_parts) parts.emplace(model.shape(), order.settings);
  const int64_t loading_peak_bytes = life_peak_bytes();  // the training begins to count anew
  const Measured measured = measure(order, model, rows_of(ids, order.shape, rows), parts);
  const double median = median_after_warm(measured.seconds);
  const StepLoad load = largest_load(order.settings, rows);
  const double flops = flops_per_token(order.settings, model.shape(), load);
  const Bf16 bf16 = model.base().bf16();
  const int64_t planned_peak = predicted_peak_bytes(order.settings, model.shape(), load, bf16);
  nlohmann::ordered_json out{
      {"seconds", median},
      {"processor_seconds", median_after_warm(measured.processor_seconds)},
      {"gflop", 1e-9 * static_cast<double>(order.shape.step_tokens()) * flops},
      {"peak_bytes", measured.memory_peak_bytes},
      {"life_peak_bytes", std::max(loading_peak_bytes, life_peak_bytes())},
      {"predicted_peak_bytes", planned_peak},
      {"memory_terms",
       memory_terms(measured, pass_bytes(order.settings, model.shape(), load, bf16), planned_peak)},
      {"losses", measured.losses},
      {"step_seconds", measured.seconds}};
  if (parts) out["parts"] = json_of(*parts, measured.seconds);
  return out;
}

int run(const Order& order) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  if (order.steps > 0) out = steps_of(order);
  if (!order.products.empty()) out.update(predicted_seconds(order));
  std::puts(out.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace ranktide::bench

int main(int count, char** args) {
  if (count < 8) {
    std::fprintf(stderr,
                 "usage: %s MODEL_FOLDER full|lora|lora:RANK:TARGET[:DROPOUT] fp32|bf16 ROWS TOKENS THREADS "
                 "STEPS(> 2) [ids=FILE] [start=FOLDER] [products=FILE] [parts] [paced]\n",
                 args[0]);
    return 2;
  }
  try {
    return ranktide::bench::run(ranktide::bench::order_of(count, args));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
