// Optimizer steps of several trials that take turns over one copy of a base, on a device: what bench/gpu.py
// runs beside PEFT. Needs no more than the engine does, so tools/standalone builds it.
//
//     trial_steps MODEL_FOLDER full|lora fp32|bf16 ROWS TOKENS cpu|cuda TRIALS STEPS IDS [START]
//     trial_steps facts
//
// LoRA is of rank 16 on all linears. Every trial trains on the same rows of IDS, a file of token ids (int32 in
// the processor's byte order), in the micro-batches that a sweep's trials have on that device; they differ in
// their seeds. With START, the first trial's fresh adapter is written there first, as PEFT reads it. With 0
// steps that is all. Prints one line of JSON: rows of a micro-batch, seconds of every round, in which each
// trial makes one step and the device is waited for, and the losses of each trial. `facts` prints what the
// engine is.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "bench/steps.h"
#include "common/model/cost.h"
#include "common/model/microbatch.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/network.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Order {
  std::filesystem::path model;
  Method method = Method::lora;
  Dtype dtype = Dtype::bf16;
  Shape shape;
  std::string device;
  int trials = 0;
  Step steps = 0;
  std::filesystem::path ids, start;
};

TrialSettings settings_of(const Order& order, uint64_t seed) {
  std::vector<std::string> all;
  for (const NamedLinear& linear : kLinears) all.emplace_back(linear.module);
  TrialSettings settings = order.method == Method::full
                               ? full_settings(order.dtype, order.shape)
                               : lora_settings(order.dtype, order.shape, 16, std::move(all));
  settings.seed = seed;
  return settings;
}

// Removed with all that was left in it.
class ScratchFolder {
 public:
  ScratchFolder()
      : path(std::filesystem::temp_directory_path() / ("trial_steps." + std::to_string(::getpid()))) {}
  ~ScratchFolder() {
    std::error_code left_behind;
    std::filesystem::remove_all(path, left_behind);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path path;
};

// A run points to its stage and its model, so a trial stays where it is made.
struct Trial {
  Trial(const Order& order, const std::shared_ptr<const Base>& base, const BatchSource& batches,
        const std::filesystem::path& checkpoints, uint64_t seed)
      : stage(stage_of(settings_of(order, seed), order.steps)),
        model(Model::for_trial(base, stage.settings)),
        run(stage, model, batches, {.checkpoints = checkpoints},
            {.on_progress = [this](const StepProgress& p) { losses.push_back(p.loss); },
             .checkpoint_due = {},
             .note = {}}) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  std::vector<double> losses;
  Stage stage;
  Model model;
  TrainRun run;
};

// Returns: seconds of each round.
std::vector<double> make_rounds(std::list<Trial>& trials, Step steps) {
  std::vector<double> seconds;
  for (Step step = 0; step < steps; ++step) {
    const auto start = Clock::now();
    for (Trial& trial : trials) trial.run.step();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return seconds;
}

nlohmann::ordered_json measured(const Order& order, const std::shared_ptr<const Base>& base, int microbatch) {
  const Ids ids = ids_in(order.ids);
  if (std::ssize(ids) < order.shape.step_tokens() * order.steps)
    throw std::runtime_error(order.ids.string() + " holds " + std::to_string(ids.size()) +
                             " ids, too few for " + std::to_string(order.steps) + " steps");
  const BatchSource batches = rows_of(ids, order.shape, microbatch);
  const ScratchFolder scratch;
  std::list<Trial> trials;
  for (int i = 1; i <= order.trials; ++i)
    trials.emplace_back(order, base, batches, scratch.path, static_cast<uint64_t>(i));
  const std::vector<double> seconds = make_rounds(trials, order.steps);
  nlohmann::ordered_json losses = nlohmann::ordered_json::array();
  for (const Trial& trial : trials) losses.push_back(trial.losses);
  const StepLoad load{.tokens = order.shape.step_tokens(), .sequence = order.shape.tokens};
  return {{"seconds", seconds},
          {"losses", losses},
          {"flops_per_token", flops_per_token(settings_of(order, 1), base->shape(), load)},
          {"peak_bytes", memory_peak_bytes(base->device())}};
}

int run(const Order& order) {
  start_engine(1);  // of the processor, which computes nothing but where it is the device
  const auto base = Base::load(order.model, order.dtype, device_named(order.device));
  if (!order.start.empty()) Model::for_trial(base, settings_of(order, 1)).save(order.start);
  const int microbatch = microbatch_rows(base->shape(), settings_of(order, 1), device_class_of(base->device()));
  nlohmann::ordered_json out{{"device", device_text(base->device())}, {"microbatch_rows", microbatch}};
  if (order.steps > 0) out.update(measured(order, base, microbatch));
  std::puts(out.dump().c_str());
  return 0;
}

// What results depend on besides the machine.
int print_facts() {
  const Engine engine = current_engine();
  const nlohmann::ordered_json facts{{"libtorch", engine.libtorch},
                                     {"numerics_version", engine.numerics_version}};
  std::puts(facts.dump().c_str());
  return 0;
}

constexpr const char* kUsage =
    "usage: %s MODEL_FOLDER full|lora fp32|bf16 ROWS TOKENS cpu|cuda TRIALS STEPS IDS [START]\n"
    "       %s facts\n";

bool is_one_of(std::string_view word, std::string_view a, std::string_view b) {
  return word == a || word == b;
}

}  // namespace
}  // namespace ranktide::bench

int main(int count, char** args) {
  using namespace ranktide;
  using namespace ranktide::bench;
  if (count == 2 && std::string_view(args[1]) == "facts") return print_facts();
  const bool is_understood = (count == 10 || count == 11) && is_one_of(args[2], "full", "lora") &&
                             is_one_of(args[3], "fp32", "bf16") && std::atoi(args[4]) > 0 &&
                             std::atoi(args[5]) > 1 && std::atoi(args[7]) > 0;
  if (!is_understood) {
    std::fprintf(stderr, kUsage, args[0], args[0]);
    return 2;
  }
  try {
    return run({.model = args[1],
                .method = std::string_view(args[2]) == "full" ? Method::full : Method::lora,
                .dtype = std::string_view(args[3]) == "fp32" ? Dtype::fp32 : Dtype::bf16,
                .shape = {.rows = std::atoi(args[4]), .tokens = std::atoi(args[5])},
                .device = args[6],
                .trials = std::atoi(args[7]),
                .steps = std::atoi(args[8]),
                .ids = args[9],
                .start = count == 11 ? args[10] : ""});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "trial_steps: %s\n", e.what());
    return 1;
  }
}
