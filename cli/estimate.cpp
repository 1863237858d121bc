#include "cli/estimate.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "common/content/hub_cache.h"
#include "common/model/microbatch.h"
#include "common/sweep/identity.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr double kBytesPerToken = 4;       // of English and code under the usual vocabularies
constexpr double kWindowTokens = 512;      // of a loss eval over plain text
constexpr double kForwardShare = 1 / 3.0;  // of a full training step's FLOPs

bool processor_has(const std::string& flag) {
  std::ifstream in("/proc/cpuinfo");
  std::string word;
  while (in >> word)
    if (word == flag) return true;
  return false;
}

double line_count(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return static_cast<double>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

// Tokens that an eval reads, from the size of its file and its limit.
double eval_tokens(const EvalSpec& spec) {
  std::error_code absent;
  const auto bytes = fs::file_size(spec.data, absent);
  if (absent) return 0;
  const double tokens = static_cast<double>(bytes) / kBytesPerToken;
  if (!spec.limit) return tokens;
  const bool rows = fs::path(spec.data).extension() == ".jsonl";
  const double items = rows ? line_count(spec.data) : tokens / kWindowTokens;
  return tokens * std::min(1.0, static_cast<double>(*spec.limit) / std::max(1.0, items));
}

struct Shapes {  // read once per folder
  std::map<std::string, std::optional<ModelShape>> known;

  const std::optional<ModelShape>& of(const std::string& folder) {
    const auto found = known.find(folder);
    if (found != known.end()) return found->second;
    try {
      return known[folder] = read_shape(model_folder(folder));
    } catch (const std::runtime_error&) {
      return known[folder] = std::nullopt;  // plan goes on without an estimate; inputs.cpp has named the reason
    }
  }
};

double flops_of(const TrialSettings& settings, const ModelShape& shape, double tokens) {
  const StepLoad load{.tokens = settings.data.max_tokens, .sequence = settings.data.max_tokens};
  return flops_per_token(settings, shape, load) * tokens;
}

const DataInput* data_of(const TrialSettings& settings, const Inputs& inputs) {
  const auto model = inputs.models.find(model_key(settings.model));
  if (model == inputs.models.end()) return nullptr;
  const auto data = inputs.data.find(data_key(settings.data, model->second.tokenizer_sha256));
  return data == inputs.data.end() ? nullptr : &data->second;
}

std::optional<TrialCost> cost_with(Shapes& shapes, const SweepTrial& trial, const Inputs& inputs,
                                   std::optional<int> microbatch) {
  const auto& shape = shapes.of(trial.settings.model.path);
  const DataInput* data = data_of(trial.settings, inputs);
  if (!shape || !data || data->rows == 0) return std::nullopt;
  const double row_tokens = static_cast<double>(data->tokens) / static_cast<double>(data->rows);
  const double step_tokens = row_tokens * trial.settings.train.batch;
  TrialCost cost;
  cost.training_flops = flops_of(trial.settings, *shape, step_tokens * static_cast<double>(trial.steps));
  TrialSettings forward = trial.settings;
  forward.method = Method::full;
  forward.lora.reset();
  const auto runs = std::count_if(trial.eval_at.begin(), trial.eval_at.end(), [](Step at) { return at > 0; });
  for (const EvalTask& task : trial.evals)
    cost.eval_flops +=
        kForwardShare * flops_of(forward, *shape, eval_tokens(task.spec)) * static_cast<double>(runs);
  const int rows = microbatch_rows(*shape, trial.settings, DeviceClass::cpu, microbatch);
  cost.memory_bytes = predicted_peak_bytes(trial.settings, *shape, largest_load(trial.settings, rows));
  return cost;
}

}  // namespace

std::optional<TrialCost> cost_of(const SweepTrial& trial, const Inputs& inputs) {
  Shapes shapes;
  return cost_with(shapes, trial, inputs, {});
}

double guessed_rate(Dtype dtype) {
  const bool bf16 = dtype == Dtype::bf16;
  if (bf16 && processor_has("avx512_bf16")) return 110e9;
  if (processor_has("avx512f")) return bf16 ? 35e9 : 60e9;
  return bf16 ? 25e9 : 30e9;  // bf16 by fp32's kernels, and the widening
}

std::map<Dtype, double> measured_rates(const std::vector<MeasuredTrial>& trials) {
  Shapes shapes;
  std::map<Dtype, std::pair<double, double>> sums;  // FLOPs, seconds
  for (const MeasuredTrial& trial : trials) {
    const auto& shape = shapes.of(trial.settings.model.path);
    if (!shape) continue;
    auto& [flops, seconds] = sums[trial.settings.model.dtype];
    flops += flops_of(trial.settings, *shape, static_cast<double>(trial.tokens));
    seconds += trial.seconds;
  }
  std::map<Dtype, double> rates;
  for (const auto& [dtype, sum] : sums) rates[dtype] = sum.first / sum.second;
  return rates;
}

std::optional<SweepEstimate> estimate(const std::vector<SweepTrial>& trials, const Inputs& inputs,
                                      const std::map<Dtype, double>& measured, std::optional<int> microbatch) {
  SweepEstimate sum{.measured = true};
  Shapes shapes;
  for (const SweepTrial& trial : trials) {
    const auto cost = cost_with(shapes, trial, inputs, microbatch);
    if (!cost) return std::nullopt;
    const auto rate = measured.find(trial.settings.model.dtype);
    sum.measured = sum.measured && rate != measured.end();
    const double per_second = rate != measured.end() ? rate->second : guessed_rate(trial.settings.model.dtype);
    sum.slot_seconds += (cost->training_flops + cost->eval_flops) / per_second;
    sum.memory_bytes = std::max(sum.memory_bytes, cost->memory_bytes);
  }
  return sum;
}

int slots_for(int cores, int64_t memory_available_bytes, int64_t trials, int64_t memory_per_trial_bytes) {
  const int64_t fit = memory_per_trial_bytes > 0 ? memory_available_bytes / memory_per_trial_bytes : cores;
  return static_cast<int>(std::max<int64_t>(1, std::min({static_cast<int64_t>(cores), trials, fit})));
}

}  // namespace ranktide::cli
