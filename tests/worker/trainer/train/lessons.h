#pragma once
// A small language for tests about training: a stage on the tiny llama, its data, and verbs to run it.

#include <stop_token>

#include "tests/common/model/scratch.h"
#include "tests/worker/trainer/lm/tiny.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide::tiny {

inline Stage stage(Step steps, Method method = Method::lora) {
  Stage s{.id = StageId{"stage"},
          .trial = TrialId{"trial"},
          .base = BaseId{"base"},
          .from = 0,
          .to = steps,
          .settings = {}};
  s.settings.method = method;
  if (method == Method::lora) s.settings.lora = lora_all();
  s.settings.train.lr = method == Method::lora ? 2e-3 : 1e-3;
  s.settings.train.schedule = Schedule::constant;
  s.settings.train.warmup = {.steps = 0, .share = {}};
  s.settings.seed = 11;
  return s;
}

// Adds one segment whose every token but the last has the next one as its label.
inline void add_segment(Batch& batch, const std::vector<int32_t>& tokens) {
  batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
  batch.targets.insert(batch.targets.end(), tokens.begin() + 1, tokens.end());
  batch.targets.push_back(kNoLabel);
  batch.segment_ends.push_back(static_cast<int32_t>(batch.tokens.size()));
}

// The data order of a golden (step, row, token): of each step, the first `rows` rows, `rows_per_micro` of them
// in a micro-batch.
inline BatchSource lessons_in(const std::filesystem::path& tokens, size_t rows, size_t rows_per_micro) {
  auto all = read_json_file(tokens).get<std::vector<std::vector<std::vector<int32_t>>>>();
  return [all = std::move(all), rows, rows_per_micro](Step s) {
    const auto& step = all[static_cast<size_t>(s - 1) % all.size()];
    StepBatch out;
    for (size_t row = 0; row < rows; ++row) {
      if (row % rows_per_micro == 0) out.micro.emplace_back();
      add_segment(out.micro.back(), step[row]);
      out.tokens += std::ssize(step[row]);
    }
    return out;
  };
}

inline BatchSource lessons(size_t rows = 4, size_t rows_per_micro = 4) {
  return lessons_in(folder("tokens.json"), rows, rows_per_micro);
}

// Eight rows of unequal length and with unequal labels, dealt out to micro-batches of `rows_per_micro`.
inline BatchSource unequal(size_t rows_per_micro) {
  return [rows_per_micro](Step s) {
    StepBatch step;
    for (size_t row = 0; row < 8; ++row) {
      if (row % rows_per_micro == 0) step.micro.emplace_back();
      std::vector<int32_t> tokens;
      for (size_t i = 0; i < 3 + 2 * row; ++i)
        tokens.push_back(static_cast<int32_t>((static_cast<size_t>(s) * 31 + row * 7 + i * i) % 199));
      add_segment(step.micro.back(), tokens);
      for (size_t masked = 0; masked < row / 2; ++masked)
        step.micro.back().targets.end()[-2 - static_cast<std::ptrdiff_t>(masked)] = kNoLabel;
      step.tokens += std::ssize(tokens);
    }
    return step;
  };
}

// One attempt and all that it said.
struct Run {
  Outcome outcome;
  std::vector<StepProgress> progress;
  std::vector<std::string> notes;
  std::vector<Step> saved;  // checkpoints
};

struct How {
  std::filesystem::path checkpoints;
  ranktide::Attempt attempt = 1;
  Step checkpoint_every = 0;
  Step stop_after = 0;  // 0: never
  std::function<void(Step)> after_step{};
  std::vector<BranchOrder> branches{};
  std::optional<Step> resume_at_most{};
  bool resume_exact_only = false;
  std::optional<int> microbatch{};
};

inline Run run(const Stage& stage, Model& model, const BatchSource& data, const How& how) {
  Run out;
  std::stop_source stop;
  const TrainHooks hooks{
      .on_progress =
          [&](const StepProgress& p) {
            out.progress.push_back(p);
            if (how.after_step) how.after_step(p.step);
            if (p.step == how.stop_after) stop.request_stop();
          },
      .checkpoint_due = [&](Step s) { return how.checkpoint_every > 0 && s % how.checkpoint_every == 0; },
      .note = [&](const std::string& line) { out.notes.push_back(line); },
      .checkpoint_saved = [&](Step s) { out.saved.push_back(s); }};
  out.outcome = train(stage, model, data,
                      {.checkpoints = how.checkpoints,
                       .attempt = how.attempt,
                       .resume = {.at_most = how.resume_at_most, .exact_only = how.resume_exact_only},
                       .branches = how.branches},
                      hooks, stop.get_token(), how.microbatch);
  return out;
}

}  // namespace ranktide::tiny
