#include "cli/estimate.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "cli/device_table.h"
#include "common/model/microbatch.h"
#include "common/model/step_time.h"
#include "common/sweep/early_stop.h"
#include "common/sweep/identity.h"

namespace ranktide::cli {
namespace {

constexpr double kGuessedBytesPerSecond = 8e9;

// How far off seconds may be, as a share of them.
constexpr double kSpreadOfGuess = 1;  // a factor of two
constexpr double kSpreadOfProducts = 0.3;
constexpr double kSpreadOfOne = 0.3;
constexpr double kSpreadOfOtherShapes = 0.2;
constexpr double kSpreadMin = 0.05;
constexpr double kSpreadOfMemory = 0.1;  // of the formula, over the shapes of bench/memory.py

const DataInput* data_of(const TrialSettings& settings, const Inputs& inputs) {
  const auto model = inputs.models.find(model_key(settings.model));
  if (model == inputs.models.end()) return nullptr;
  const auto data = inputs.data.find(data_key(settings.data, model->second.tokenizer_sha256));
  return data == inputs.data.end() || data->second.rows == 0 ? nullptr : &data->second;
}

struct MeanRow {
  double tokens = 1;
  double segment_tokens = 1;
  double labelled_share = 1;  // of the tokens
};

// A client of before counted no labels.
double labelled_share(const DataInput& data) {
  if (!data.labels || data.tokens <= 0) return 1;
  return std::clamp(static_cast<double>(*data.labels) / static_cast<double>(data.tokens), 0.0, 1.0);
}

MeanRow mean_row(const DataInput& data) {
  const auto tokens = static_cast<double>(data.tokens);
  const double row = std::max(1.0, tokens / static_cast<double>(data.rows));
  const double document = tokens / std::max(1.0, static_cast<double>(data.documents));
  return {
      .tokens = row, .segment_tokens = std::clamp(document, 1.0, row), .labelled_share = labelled_share(data)};
}

// Of data that the inputs do not know: as much as of theirs, for the data of one folder are mostly alike.
double usual_labelled_share(const Inputs& inputs) {
  double tokens = 0, labels = 0;
  for (const auto& [key, data] : inputs.data) {
    tokens += static_cast<double>(data.tokens);
    labels += static_cast<double>(data.tokens) * labelled_share(data);
  }
  return tokens > 0 ? labels / tokens : 1;
}

// Of a trial whose data is not among the inputs: its rows as full as its tokens say, or full.
MeanRow guessed_row(const MeasuredTrial& trial, const Inputs& inputs) {
  const DataSettings& data = trial.settings.data;
  const auto steps = static_cast<double>(trial.settings.budget.steps.value_or(0));
  const double rows = steps * trial.settings.train.batch;
  const double tokens = std::clamp(rows > 0 ? static_cast<double>(trial.tokens) / rows : data.max_tokens, 1.0,
                                   data.max_tokens + 0.0);
  const bool may_be_masked = data.mask_prompt && data.format != DataFormat::text;
  return {.tokens = tokens,
          .segment_tokens = tokens,
          .labelled_share = may_be_masked ? usual_labelled_share(inputs) : 1};
}

double step_seconds(const ProductSpeeds& speeds, const TrialSettings& settings, const ModelShape& shape,
                    const MeanRow& row, std::optional<int> microbatch) {
  const int rows = microbatch_rows(shape, settings, DeviceClass::cpu, microbatch);
  const StepLoad load{.tokens = std::max<int64_t>(1, std::llround(rows * row.tokens)),
                      .sequence = std::llround(row.segment_tokens),
                      .labelled_share = row.labelled_share};
  return training_step_seconds(speeds, settings, shape, load, settings.train.batch / static_cast<double>(rows))
      .sum();
}

// Measured and predicted seconds of finished trials, together and one by one.
struct Ratios {
  double measured = 0, predicted = 0;
  std::vector<double> each;

  void add(double took, double was_predicted) {
    measured += took;
    predicted += was_predicted;
    each.push_back(took / was_predicted);
  }
};

// Memory is not corrected, as placing goes by the same formula: twice the root mean square of how far off it
// was.
double memory_spread_of(const Ratios& ratios) {
  double squares = 0;
  for (const double ratio : ratios.each) squares += (ratio - 1) * (ratio - 1);
  return std::max(kSpreadMin, 2 * std::sqrt(squares / static_cast<double>(ratios.each.size())));
}

// By the formula that placing goes by.
double predicted_peak(const Timing& timing, const TrialSettings& settings, const ModelShape& shape,
                      std::optional<int> microbatch) {
  const int rows = microbatch_rows(shape, settings, DeviceClass::cpu, microbatch);
  const bool on_gpu = timing.slots.on == ComputedOn::gpu;
  const Bf16 bf16 = !on_gpu && timing.speeds.widens_bf16() ? Bf16::widened : Bf16::as_it_is;
  return static_cast<double>(placed_bytes(settings, shape, rows, bf16));
}

// Two standard deviations of the single trials; of one nobody knows, and a machine is never quite quiet.
Correction correction_of(const Ratios& ratios, double spread_min) {
  const double factor = ratios.measured / ratios.predicted;
  double squares = 0;
  for (const double ratio : ratios.each) squares += (ratio / factor - 1) * (ratio / factor - 1);
  const auto n = static_cast<double>(ratios.each.size());
  const double spread = n < 2 ? kSpreadOfOne : std::max(spread_min, 2 * std::sqrt(squares / (n - 1)));
  return {.factor = factor, .spread = spread, .trials = static_cast<int>(ratios.each.size())};
}

bool tells_of_length_alone(const std::string& key) {
  return key.starts_with("budget.") || key == "eval.at";
}

// Rows, and how many are a step, turn epochs and tokens into steps.
bool tells_of_length(const std::string& key) {
  return tells_of_length_alone(key) || key.starts_with("data.") || key.starts_with("model.") ||
         key == "train.batch";
}

SlotKind slot_kind_of(const MeasuredTrial& trial) {
  return {.device = trial.device, .processor = trial.processor, .threads = trial.threads};
}

// Of cores elsewhere what their workers tell.
Processor processor_of(const TimedSlots& slots) {
  const Processor here = this_processor();
  if (slots.on == ComputedOn::gpu || slots.kinds.empty() || slots.threads_on(here.name)) return here;
  return {.name = kUnknownProcessor, .instructions = slots.may_widen_bf16() ? "avx2" : "avx512f"};
}

void correct(Timing& timing, const std::vector<MeasuredTrial>& finished, const Inputs& inputs) {
  ModelShapes shapes;
  std::map<Dtype, Ratios> by_dtype;
  std::map<std::string, Ratios> by_shape, peaks;
  for (const MeasuredTrial& trial : finished) {
    const auto& shape = shapes.of(trial.settings.model.path);
    if (!shape || trial.tokens <= 0 || !timing.slots.are_like(slot_kind_of(trial))) continue;
    const DataInput* data = data_of(trial.settings, inputs);
    const MeanRow row = data ? mean_row(*data) : guessed_row(trial, inputs);
    const double steps = static_cast<double>(trial.tokens) / (row.tokens * trial.settings.train.batch);
    const double predicted = steps * step_seconds(timing.speeds, trial.settings, *shape, row, {});
    by_dtype[trial.settings.model.dtype].add(trial.seconds, predicted);
    if (data) by_shape[shape_of(trial.settings)].add(trial.seconds, predicted);
    if (trial.memory_peak_bytes > 0)
      peaks[shape_of(trial.settings)].add(static_cast<double>(trial.memory_peak_bytes),
                                          predicted_peak(timing, trial.settings, *shape, {}));
  }
  for (const auto& [dtype, ratios] : by_dtype)
    timing.corrections[dtype] = correction_of(ratios, kSpreadOfOtherShapes);
  for (const auto& [shape, ratios] : by_shape) timing.shapes[shape] = correction_of(ratios, kSpreadMin);
  for (const auto& [shape, ratios] : peaks)
    if (ratios.each.size() > 1) timing.memory_spreads[shape] = memory_spread_of(ratios);
}

}  // namespace

std::string word_of(TimeBasis basis) {
  if (basis == TimeBasis::none) return "none";
  if (basis == TimeBasis::guess) return "guess";
  return basis == TimeBasis::products ? "products" : "trials";
}

std::string phrase_of(TimeBasis basis, const TimedSlots& slots) {
  if (basis == TimeBasis::trials) return "finished trials";
  if (basis == TimeBasis::products) return "measured products of this machine";
  if (basis == TimeBasis::none) return "none: of a GPU only trials that finished on such a one tell times";
  return "a first guess; " + remedy_of_guess(slots);
}

std::string remedy_of_guess(const TimedSlots& slots) {
  if (const auto threads = slots.threads_on(this_processor().name))
    return fmt::format("`{}` takes 10 s and makes it sharper", measure_command(*threads));
  return "the slots are not cores of this machine's processor with as many threads each: trials that finish on "
         "them make it sharper";
}

// Within a factor of two of what was seen of processors with these instructions.
ProductTable guessed_table(const Processor& processor, int threads) {
  const bool widens = widens_bf16(processor);
  const double fp32 = (widens ? 30e9 : 60e9) * threads;
  const double bf16 = (processor.instructions == "avx512_bf16" ? 110e9 : 35e9) * threads;
  const auto row = [](Dtype dtype, double rate) {
    return MeasuredProduct{.dtype = dtype, .m = 1, .n = 1, .k = 1, .flops_per_second = rate};
  };
  return {.device = processor.name,
          .instructions = processor.instructions,
          .threads = threads,
          .widens_bf16 = widens,
          .bytes_per_second = kGuessedBytesPerSecond,
          .rows = {row(Dtype::fp32, fp32), row(Dtype::bf16, bf16)}};
}

TimeBasis Timing::basis(Dtype dtype) const {
  if (corrections.contains(dtype)) return TimeBasis::trials;
  if (slots.on == ComputedOn::gpu) return TimeBasis::none;
  return is_measured ? TimeBasis::products : TimeBasis::guess;
}

Correction Timing::correction(const TrialSettings& settings) const {
  if (const auto own = shapes.find(shape_of(settings)); own != shapes.end()) return own->second;
  if (const auto own = corrections.find(settings.model.dtype); own != corrections.end()) return own->second;
  return {.spread = is_measured ? kSpreadOfProducts : kSpreadOfGuess};
}

double Timing::memory_spread(const TrialSettings& settings) const {
  const auto own = memory_spreads.find(shape_of(settings));
  return own == memory_spreads.end() ? kSpreadOfMemory : own->second;
}

std::string shape_of(const TrialSettings& settings) {
  return std::string(text_of(settings.method)) + " " + std::string(text_of(settings.model.dtype)) + " " +
         std::to_string(settings.data.max_tokens) + " " + settings.model.path;
}

Timing timing_of(const std::optional<ProductTable>& table, int threads,
                 const std::vector<MeasuredTrial>& finished, const Inputs& inputs, const TimedSlots& slots) {
  Timing out{.speeds = ProductSpeeds(table ? *table : guessed_table(processor_of(slots), threads)),
             .slots = slots,
             .is_measured = table.has_value(),
             .corrections = {}};
  correct(out, finished, inputs);
  return out;
}

TrialLength own_length(const SweepTrial& trial, const RunPolicy& run) {
  TrialLength out{.steps = trial.steps};
  out.rounds = std::count_if(trial.eval_at.begin(), trial.eval_at.end(), [](Step at) { return at > 0; });
  if (!run.stop_early || trial.steps == 0) return out;
  const std::vector<Rung> rungs = rungs_of(*run.stop_early, trial.steps);
  out.rungs = std::count_if(rungs.begin(), rungs.end(), [&](const Rung& rung) {
    return !std::binary_search(trial.eval_at.begin(), trial.eval_at.end(), rung.at);
  });
  return out;
}

TrialCost at_length(TrialCost cost, const TrialLength& length) {
  cost.eval_seconds = cost.seconds_a_round * static_cast<double>(length.rounds);
  cost.seconds = cost.seconds_a_step * static_cast<double>(length.steps) + cost.eval_seconds;
  cost.rung_seconds = cost.seconds_a_rung * static_cast<double>(length.rungs);
  return cost;
}

// Named are those that a cost does not hang on: a new setting counts until somebody says so. What stands under
// `run` is the same for all trials of a sweep. Whether there is a clip or a dropout is all that they cost.
Telling settings_of_cost() {
  static const std::set<std::string_view> kFree{"train.lr",
                                                "train.betas",
                                                "train.eps",
                                                "train.weight_decay",
                                                "train.decay_rule",
                                                "train.schedule",
                                                "train.warmup",
                                                "train.cooldown",
                                                "train.final_lr",
                                                "lora.alpha",
                                                "lora.scaling",
                                                "model.from",
                                                "seed"};
  Telling out{.by_value = {}, .by_sign = {"train.clip", "lora.dropout", "train.attention_dropout"}};
  for (const Setting& setting : settings()) {
    const std::string key(setting.key);
    if (key.starts_with("run.") || kFree.contains(key) || out.by_sign.contains(key)) continue;
    if (tells_of_length(key)) out.apart.insert(key);
    if (!tells_of_length_alone(key)) out.by_value.insert(key);
  }
  return out;
}

TrialCosts::TrialCosts(const Inputs& inputs, const Timing& timing, const RunPolicy& run,
                       EvalSizesRead eval_sizes)
    : inputs_(inputs), timing_(timing), run_(run), evals_(std::move(eval_sizes)) {}

// A pass holds as many whole sequences as fit, one at least. `run.microbatch`, which may let fewer in, is left
// out.
double TrialCosts::eval_seconds_of(const SweepTrial& trial, const EvalTask& task, const ModelShape& shape) {
  const EvalSize& size = evals_.of(task, trial.tokenizer_sha256);
  if (size.tokens < 1) return 0;
  const double sequences = size.tokens / size.sequence_tokens;
  const double length = std::clamp(size.sequence_tokens, 1.0, static_cast<double>(shape.context) + 1);
  const double of_a_pass = std::min(sequences, std::max(1.0, std::floor(kEvalTokensPerForward / length)));
  const StepLoad load{.tokens = std::max<int64_t>(1, std::llround(of_a_pass * length)),
                      .sequence = std::llround(length),
                      .labelled_share = size.scored_share};
  return sequences / of_a_pass * eval_seconds(timing_.speeds, trial.settings, shape, load).sum();
}

double TrialCosts::round_seconds(const SweepTrial& trial, const ModelShape& shape) {
  double seconds = 0;
  for (const EvalTask& task : trial.evals) seconds += eval_seconds_of(trial, task, shape);
  return seconds;
}

double TrialCosts::rung_seconds(const SweepTrial& trial, const ModelShape& shape) {
  if (!run_.stop_early) return 0;
  const auto task = std::find_if(trial.evals.begin(), trial.evals.end(),
                                 [&](const EvalTask& each) { return each.name == run_.stop_early->by; });
  return task == trial.evals.end() ? 0 : eval_seconds_of(trial, *task, shape);
}

std::optional<TrialCost> TrialCosts::of(const SweepTrial& trial) {
  const TrialSettings& settings = trial.settings;
  const auto& shape = shapes_.of(settings.model.path);
  const DataInput* data = data_of(settings, inputs_);
  if (!shape || !data) return std::nullopt;
  const double peak = predicted_peak(timing_, settings, *shape, run_.microbatch);
  TrialCost out{.memory_bytes = static_cast<int64_t>(peak),
                .memory_spread = timing_.memory_spread(settings),
                .disk = disk_bytes(settings, *shape, run_.keep),
                .basis = timing_.basis(settings.model.dtype),
                .is_same_shape = timing_.shapes.contains(shape_of(settings))};
  if (out.basis == TimeBasis::none) return out;
  const Correction correction = timing_.correction(settings);
  const double step = step_seconds(timing_.speeds, settings, *shape, mean_row(*data), run_.microbatch);
  out.seconds_a_step = correction.factor * step;
  out.seconds_a_round = correction.factor * round_seconds(trial, *shape);
  out.seconds_a_rung = correction.factor * rung_seconds(trial, *shape);
  out.spread = correction.spread;
  out.trials = correction.trials;
  return at_length(out, own_length(trial, run_));
}

int slots_for(int cores, int64_t memory_available_bytes, int64_t trials, int64_t memory_per_trial_bytes) {
  const int64_t fit = memory_per_trial_bytes > 0 ? memory_available_bytes / memory_per_trial_bytes : cores;
  return static_cast<int>(std::max<int64_t>(1, std::min({static_cast<int64_t>(cores), trials, fit})));
}

}  // namespace ranktide::cli
