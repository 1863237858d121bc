// Trials that share a trainer: a step of each in turn, over one copy of the base.
#include <gtest/gtest.h>
#include <memory>
#include <utility>

#include "tests/worker/trainer/train/lessons.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {
namespace {

struct Trial {
  Stage stage;
  BatchSource data;
};

// Two adapters of other rank, shape of step and length, and a full one.
std::vector<Trial> unlike_trials() {
  Trial small{tiny::stage(6), tiny::lessons()}, large{tiny::stage(9), tiny::unequal(3)},
      full{tiny::stage(7, Method::full), tiny::lessons(3, 2)};
  small.stage.settings.lora = tiny::lora_all(4);
  small.stage.settings.lora->dropout = 0.1;
  large.stage.settings.lora = tiny::lora_all(16);
  large.stage.settings.train.schedule = Schedule::cosine;
  full.stage.settings.train.attention_dropout = 0.1;
  full.stage.settings.seed = 12;
  return {small, large, full};
}

// What a trial came to.
struct Course {
  std::vector<double> losses;
  std::string weights_sha256;
};

// A trial in the middle of its course.
struct Turn {
  Turn(const Trial& trial, const std::shared_ptr<const Base>& base, const std::filesystem::path& checkpoints)
      : model(Model::for_trial(base, trial.stage.settings)),
        run(trial.stage, model, trial.data, {.checkpoints = checkpoints},
            {.on_progress = [this](const StepProgress& p) { losses.push_back(p.loss); },
             .checkpoint_due = {},
             .note = {}}) {}

  std::vector<double> losses;
  Model model;
  TrainRun run;
};

Course alone(const Trial& trial, Dtype dtype) {
  const Scratch scratch;
  Model model = Model::for_trial(tiny::base("llama", dtype), trial.stage.settings);
  const auto run = tiny::run(trial.stage, model, trial.data, {.checkpoints = scratch.path()});
  Course course{.losses = {}, .weights_sha256 = run.outcome.weights_sha256};
  for (const StepProgress& p : run.progress) course.losses.push_back(p.loss);
  return course;
}

// In memory of which so many bytes were taken before the first step, as a training by itself takes it; more is
// taken where that does not suffice.
std::vector<Course> in_turns(const std::vector<Trial>& trials, Dtype dtype, int64_t reserved_bytes) {
  const Scratch scratch;
  const auto base = tiny::base("llama", dtype);
  for (Arena* arena : {&base->tensors().workspace->kept, &base->tensors().workspace->scratch})
    if (reserved_bytes > 0) arena->reserve(reserved_bytes);
  std::vector<std::unique_ptr<Turn>> turns;
  for (const Trial& trial : trials)
    turns.push_back(std::make_unique<Turn>(trial, base, scratch.path() / std::to_string(turns.size())));
  for (bool goes_on = true; std::exchange(goes_on, false);)
    for (const auto& turn : turns) goes_on |= turn->run.step();
  std::vector<Course> courses;
  for (const auto& turn : turns) {
    EXPECT_EQ(turn->run.ended().kind, OutcomeKind::completed);
    courses.push_back({.losses = turn->losses, .weights_sha256 = turn->run.ended().weights_sha256});
  }
  return courses;
}

constexpr int64_t kTooLittle = 4096, kPlenty = int64_t{16} << 20;

void expect_the_bits_of_alone(Dtype dtype) {
  std::vector<Trial> trials = unlike_trials();
  for (Trial& trial : trials) trial.stage.settings.model.dtype = dtype;
  std::vector<Course> expected;
  for (const Trial& trial : trials) expected.push_back(alone(trial, dtype));
  for (const int64_t reserved : {int64_t{0}, kTooLittle, kPlenty}) {
    const std::vector<Course> courses = in_turns(trials, dtype, reserved);
    for (size_t i = 0; i < trials.size(); ++i) {
      ASSERT_EQ(std::ssize(expected[i].losses), trials[i].stage.to);
      EXPECT_EQ(courses[i].losses, expected[i].losses) << "trial " << i << ", reserved " << reserved;
      EXPECT_EQ(courses[i].weights_sha256, expected[i].weights_sha256)
          << "trial " << i << ", reserved " << reserved;
    }
  }
}

TEST(TakingTurns, GivesEveryTrialTheBitsThatItHasAlone) {
  expect_the_bits_of_alone(Dtype::fp32);
}

TEST(TakingTurns, GivesEveryTrialTheBitsThatItHasAloneInBf16) {
  const bool before = multiply_bf16_as_it_is(true);
  for (const bool as_it_is : {true, false}) {
    multiply_bf16_as_it_is(as_it_is);
    expect_the_bits_of_alone(Dtype::bf16);
  }
  multiply_bf16_as_it_is(before);
}

}  // namespace
}  // namespace ranktide
