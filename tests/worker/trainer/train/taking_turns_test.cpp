// Trials that share a trainer: a step of each in turn, over one copy of the base.
#include <gtest/gtest.h>
#include <memory>
#include <utility>

#include "tests/worker/trainer/train/lessons.h"

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

Course alone(const Trial& trial) {
  const Scratch scratch;
  Model model = Model::for_trial(tiny::base(), trial.stage.settings);
  const auto run = tiny::run(trial.stage, model, trial.data, {.checkpoints = scratch.path()});
  Course course{.losses = {}, .weights_sha256 = run.outcome.weights_sha256};
  for (const StepProgress& p : run.progress) course.losses.push_back(p.loss);
  return course;
}

TEST(TakingTurns, GivesEveryTrialTheBitsThatItHasAlone) {
  const Scratch scratch;
  const std::vector<Trial> trials = unlike_trials();
  const auto base = tiny::base();
  std::vector<std::unique_ptr<Turn>> turns;
  for (const Trial& trial : trials)
    turns.push_back(std::make_unique<Turn>(trial, base, scratch.path() / std::to_string(turns.size())));
  for (bool goes_on = true; std::exchange(goes_on, false);)
    for (const auto& turn : turns) goes_on |= turn->run.step();
  for (size_t i = 0; i < trials.size(); ++i) {
    const Course expected = alone(trials[i]);
    ASSERT_EQ(std::ssize(expected.losses), trials[i].stage.to);
    EXPECT_EQ(turns[i]->losses, expected.losses) << "trial " << i;
    EXPECT_EQ(turns[i]->run.ended().kind, OutcomeKind::completed);
    EXPECT_EQ(turns[i]->run.ended().weights_sha256, expected.weights_sha256) << "trial " << i;
  }
}

}  // namespace
}  // namespace ranktide
