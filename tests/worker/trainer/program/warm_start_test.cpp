// Trials that start from what another one left, as works of the real program.

#include <gmock/gmock.h>

#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/program/tiny_works.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr Step kSourceSteps = 6;
constexpr Step kWarmSteps = 8;

class WarmStarted : public TinyWorks {
 protected:
  // Of another seed and data order than its source, whose weights it has at step 0; at a rate of 0 to its end.
  Work started(const std::string& name, Method method, const Work& source, double rate = 0) const {
    Work work = training(name, method, kWarmSteps);
    work.stage->settings.train.lr = rate;
    work.stage->settings.seed = 8;
    const Stage& from = *source.stage;
    const bool is_full = from.settings.method == Method::full;
    work.stage->start = WarmStart{.trial = from.trial,
                                  .stage = from.id,
                                  .step = from.to,
                                  .method = from.settings.method,
                                  .weights = is_full      ? std::optional(from.trial)
                                             : from.start ? from.start->weights
                                                          : std::nullopt};
    work.keep = is_full || method == Method::full ? Keep::delta : Keep::adapters;
    work.evals = {loss_eval(name + " end", kWarmSteps)};
    return work;
  }

  Work source(const std::string& name, Method method, Keep keep) const {
    Work work = training(name, method, kSourceSteps);
    work.keep = keep;
    work.evals = {loss_eval(name + " end", kSourceSteps)};
    return work;
  }

  // Returns: the loss at its end. Requires: its one eval is there.
  double loss_of(const Work& work) {
    const Told told = run(work);
    EXPECT_TRUE(told.outcome && told.outcome->kind == OutcomeKind::completed)
        << (told.outcome ? told.outcome->message : "the trainer ended");
    return told.evals.at(work.evals.front().id.text).value;
  }

  // The same weights once more, from what the trial left.
  double loss_kept_of(const Work& work) {
    Work alone = evaluation({loss_eval("alone", work.stage->to)});
    alone.stage = work.stage;
    return loss_of(alone);
  }

  Told run_until_killed(const Work& work, Step step) {
    const Told told = run(work, 1, [&](const TrainerReport& report) {
      const auto* found = std::get_if<WorkFound>(&report);
      if (found && found->findings.checkpoint.value_or(0) >= step) trainer().kill();
    });
    restart_trainer();
    return told;
  }
};

using WarmStartedIn = OfADtype<WarmStarted>;
INSTANTIATE_TEST_SUITE_P(EitherDtype, WarmStartedIn, kEitherDtype, dtype_name);

TEST_P(WarmStartedIn, BeginsWithTheWeightsOfItsSourcesEnd) {
  for (const auto& [from, keep, method] : {std::tuple(Method::lora, Keep::adapters, Method::lora),
                                           {Method::full, Keep::weights, Method::full},
                                           {Method::full, Keep::delta, Method::full},
                                           {Method::full, Keep::weights, Method::lora},
                                           {Method::full, Keep::delta, Method::lora}}) {
    const std::string what =
        std::string(text_of(from)) + " " + std::string(text_of(keep)) + " to " + std::string(text_of(method));
    const Work first = source("first " + what, from, keep);
    const double end = loss_of(first);
    EXPECT_NE(end, loss_of(evaluation({loss_eval("base", 0)}))) << "there is something to start from";
    const Work second = started("second " + what, method, first);
    EXPECT_EQ(loss_of(second), end) << what;
    EXPECT_EQ(loss_kept_of(second), end) << what;
    const Work third = started("third " + what, method, second);
    EXPECT_EQ(loss_of(third), end) << what << ", of a source that was started so itself";
    EXPECT_EQ(loss_kept_of(third), end) << what;
  }
}

TEST_F(WarmStarted, TrainsOnFromThereWithAScheduleOfItsOwn) {
  const Work first = source("first", Method::lora, Keep::adapters);
  loss_of(first);
  const Told told = run(started("second", Method::lora, first, 1e-3));
  const Told still = run(started("still", Method::lora, first));
  EXPECT_EQ(told.points.at("loss").at(1), still.points.at("loss").at(1)) << "the loss before the first update";
  EXPECT_NE(told.points.at("loss").at(3), still.points.at("loss").at(3));
  EXPECT_LT(told.evals.at("second end").value, still.evals.at("still end").value) << "it learns on";
  EXPECT_EQ(told.points.at("loss").size(), size_t{kWarmSteps});
}

TEST_F(WarmStarted, KilledOnTheWayEndsInTheSameBits) {
  for (const auto& [from, method] :
       {std::pair(Method::lora, Method::lora), {Method::full, Method::full}, {Method::full, Method::lora}}) {
    const std::string what = std::string(text_of(from)) + " to " + std::string(text_of(method));
    const Work first = source("first " + what, from, from == Method::lora ? Keep::adapters : Keep::delta);
    loss_of(first);
    const Told whole = run(started("whole " + what, method, first, 1e-3));
    ASSERT_TRUE(whole.outcome);
    Work work = started("killed " + what, method, first, 1e-3);
    work.checkpoint_every_ms = 0;
    run_until_killed(work, 3);
    const Told again = run(work, 2);
    ASSERT_TRUE(again.outcome);
    EXPECT_GT(again.points.at("loss").begin()->first, 3) << "its own checkpoint took over";
    EXPECT_EQ(again.outcome->weights_sha256, whole.outcome->weights_sha256) << what;
  }
}

// The longest kept go first when a worker makes room.
TEST_F(WarmStarted, GoesOnFromItsOwnCheckpointWhenItsSourceHasGone) {
  for (const Method method : {Method::lora, Method::full}) {
    const std::string what(text_of(method));
    const Work first = source("first " + what, method, method == Method::lora ? Keep::adapters : Keep::delta);
    loss_of(first);
    const Told whole = run(started("whole " + what, method, first, 1e-3));
    ASSERT_TRUE(whole.outcome);
    Work work = started("killed " + what, method, first, 1e-3);
    work.checkpoint_every_ms = 0;
    run_until_killed(work, 3);
    fs::remove_all(artifact("first " + what));
    const Told again = run(work, 2);
    ASSERT_TRUE(again.outcome);
    EXPECT_EQ(again.outcome->kind, OutcomeKind::completed) << again.outcome->message;
    EXPECT_EQ(again.outcome->weights_sha256, whole.outcome->weights_sha256) << what;
  }
}

// Who loads it on the model's own weights would get numbers, and wrong ones.
TEST_F(WarmStarted, AnAdapterNamesTheWeightsThatItLiesOn) {
  for (const Keep keep : {Keep::weights, Keep::delta}) {
    const Work first = source("first", Method::full, keep);
    loss_of(first);
    const Work second = started("second", Method::lora, first, 1e-3);
    loss_of(second);
    loss_of(started("third", Method::lora, second, 1e-3));
    for (const char* name : {"second", "third"})
      EXPECT_THAT(read_file(artifact(name) / "adapter_config.json"),
                  HasSubstr("\"base_model_name_or_path\": \"" + artifact("first").string() + "\""));
    restart_trainer();
    fs::remove_all(work_dir());
  }
}

TEST_F(WarmStarted, SaysWhoseWeightsHaveGone) {
  for (const auto& [from, method] : {std::pair(Method::lora, Method::lora), {Method::full, Method::lora}}) {
    const Work first = source("first", from, Keep::weights);
    loss_of(first);
    fs::remove_all(artifact("first"));
    const Told told = run(started("second", method, first));
    ASSERT_TRUE(told.outcome);
    EXPECT_EQ(told.outcome->kind, OutcomeKind::failed);
    EXPECT_TRUE(told.outcome->lasting) << "another try here finds as little";
    EXPECT_THAT(told.outcome->message, AllOf(HasSubstr("what trial " + first.stage->trial.brief() + " left"),
                                             HasSubstr("--artifacts-max")));
    restart_trainer();
    fs::remove_all(work_dir());
  }
}

}  // namespace
}  // namespace ranktide
