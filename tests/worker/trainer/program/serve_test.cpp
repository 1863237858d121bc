// The long-lived child, driven as the worker drives it.

#include "worker/trainer/program/serve.h"

#include <algorithm>
#include <gmock/gmock.h>

#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/program/tiny_works.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

using Serve = TinyWorks;

TEST_F(Serve, SaysWhatItIsBeforeAnythingElse) {
  trainer();
  ASSERT_TRUE(ready_);
  EXPECT_EQ(ready_->numerics, kNumericsVersion);
  EXPECT_EQ(ready_->threads, 1);
  EXPECT_EQ(ready_->device, "cpu");
  EXPECT_FALSE(ready_->isa.empty());
}

TEST_F(Serve, TrainsALoraTrialWithItsEvalsAndKeepsTheAdapter) {
  Work work = training("lora", Method::lora, 6);
  work.evals = {loss_eval("e3", 3), choice_eval("c6", 6), loss_eval("e6", 6)};
  const Told told = run(work);
  ASSERT_TRUE(told.outcome);
  EXPECT_EQ(told.outcome->kind, OutcomeKind::completed) << told.outcome->message;
  EXPECT_EQ(told.outcome->step, 6);
  EXPECT_EQ(told.outcome->message, "");
  EXPECT_TRUE(told.outcome->exact);
  EXPECT_EQ(told.outcome->weights_sha256.size(), 64u);
  EXPECT_GT(told.outcome->tokens, 6 * 32);
  for (const char* name : {"loss", "lr", "grad_norm", "tokens_per_second"})
    EXPECT_EQ(told.points.at(name).size(), 6u) << name;
  EXPECT_THAT(told.outcome->device, testing::StartsWith("cpu "));
  EXPECT_EQ(told.evals.size(), 3u);
  EXPECT_EQ(told.evals.at("e3").metric, "loss");
  EXPECT_EQ(told.evals.at("e3").sign, -1);
  EXPECT_EQ(told.evals.at("c6").metric, "acc");
  EXPECT_EQ(told.evals.at("c6").n, 6);
  EXPECT_LT(told.evals.at("e6").value, told.evals.at("e3").value);  // it learns
  EXPECT_TRUE(fs::exists(artifact("lora") / "adapter_config.json"));
  EXPECT_TRUE(fs::exists(artifact("lora") / "adapter_model.safetensors"));
}

TEST_F(Serve, TrainsAFullTrialAndKeepsWeightsOnlyWhenAsked) {
  const Told plain = run(training("plain", Method::full, 3));
  EXPECT_EQ(plain.outcome->kind, OutcomeKind::completed) << plain.outcome->message;
  EXPECT_FALSE(fs::exists(artifact("plain")));
  Work kept = training("kept", Method::full, 3);
  kept.keep = Keep::weights;
  const Told weights = run(kept);
  EXPECT_EQ(weights.outcome->kind, OutcomeKind::completed) << weights.outcome->message;
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    EXPECT_TRUE(fs::exists(artifact("kept") / file)) << file;
  EXPECT_EQ(plain.outcome->weights_sha256, weights.outcome->weights_sha256);
}

TEST_F(Serve, EvaluatesTheBase) {
  EXPECT_EQ(run(evaluation({choice_eval("b", 0)})).evals.at("b").n, 6);
}

using ServeIn = OfADtype<Serve>;
INSTANTIATE_TEST_SUITE_P(EitherDtype, ServeIn, kEitherDtype, dtype_name);

TEST_P(ServeIn, EvaluatesKeptWeightsAsTheTrainingDid) {
  for (const auto& [method, keep] : {std::pair(Method::lora, Keep::adapters),
                                     {Method::full, Keep::weights},
                                     {Method::lora, Keep::delta},
                                     {Method::full, Keep::delta}}) {
    const std::string name = std::string(text_of(method)) + " " + std::string(text_of(keep));
    Work work = training(name, method, 4);
    work.keep = keep;
    work.evals = {loss_eval("end of " + name, 4)};
    const Told trained = run(work);
    Work alone = evaluation({loss_eval("alone", 4)});
    alone.stage = work.stage;
    const Told evaluated = run(alone);
    EXPECT_EQ(evaluated.outcome->kind, OutcomeKind::completed) << evaluated.outcome->message;
    EXPECT_EQ(evaluated.evals.at("alone").value, trained.evals.at("end of " + name).value) << name;
  }
}

// The weight file is spoiled without a trace in size and time: a second load would give other weights.
TEST_F(Serve, LoadsTheBaseOnceForManyWorks) {
  const Work first = training("first", Method::lora, 3), second = training("second", Method::lora, 3);
  const Told before = run(first);
  const fs::path weights = model() / "model.safetensors";
  const auto time = fs::last_write_time(weights);
  std::string bytes = read_file(weights);
  std::fill(bytes.end() - 4096, bytes.end(), '\x3c');
  write_file(weights, bytes);
  fs::last_write_time(weights, time);
  const Told after = run(second);
  EXPECT_EQ(after.outcome->kind, OutcomeKind::completed) << after.outcome->message;
  EXPECT_EQ(after.outcome->weights_sha256, before.outcome->weights_sha256);
}

// Another dtype of the same base, another rank, dropout of another rate, and an eval lie behind the second.
TEST_F(Serve, ATrialDoesNotDependOnWhatTheTrainerDidBefore) {
  Work first = training("first", Method::lora, 6);
  first.stage->settings.train.attention_dropout = 0.1;
  const Told fresh = run(first);
  restart_trainer();
  Work bf16 = training("bf16", Method::full, 3), wide = training("wide", Method::lora, 4);
  bf16.stage->settings.model.dtype = bf16.model.dtype = Dtype::bf16;
  wide.stage->settings.lora->rank = 16;
  wide.stage->settings.lora->dropout = 0.3;
  for (const Work& before : {bf16, wide, evaluation({choice_eval("b", 0)})}) {
    const Told told = run(before);
    ASSERT_EQ(told.outcome->kind, OutcomeKind::completed) << told.outcome->message;
  }
  Work second = training("second", Method::lora, 6);
  second.stage->settings = first.stage->settings;
  const Told late = run(second);
  ASSERT_EQ(late.outcome->kind, OutcomeKind::completed) << late.outcome->message;
  EXPECT_EQ(late.outcome->weights_sha256, fresh.outcome->weights_sha256);
  EXPECT_EQ(late.points.at("loss"), fresh.points.at("loss"));
  EXPECT_EQ(late.points.at("grad_norm"), fresh.points.at("grad_norm"));
}

TEST_F(Serve, AMicrobatchSetByHandMarksTheResultAsNotExact) {
  Work work = training("cut", Method::lora, 2);
  work.microbatch = 1;
  const Told told = run(work);
  EXPECT_EQ(told.outcome->kind, OutcomeKind::completed);
  EXPECT_FALSE(told.outcome->exact);
}

TEST_F(Serve, OutOfMemoryIsToldWithItsNumbersAndASmallerMicrobatchFits) {
  Work work = training("large", Method::lora, 1);
  work.stage->settings.train.batch = 4096;
  trainer().leave_room_for(400'000'000);
  const Told all_at_once = run(work);
  ASSERT_TRUE(all_at_once.outcome);
  EXPECT_EQ(all_at_once.outcome->kind, OutcomeKind::out_of_memory) << all_at_once.outcome->message;
  EXPECT_THAT(all_at_once.outcome->message,
              AllOf(HasSubstr("4096 of the batch's 4096 rows at once (131072 tokens), predicted "),
                    HasSubstr(" MB at most: ")));
  work.microbatch = 64;
  const Told in_parts = run(work);
  ASSERT_TRUE(in_parts.outcome) << "the same process goes on";
  EXPECT_EQ(in_parts.outcome->kind, OutcomeKind::completed) << in_parts.outcome->message;
  EXPECT_FALSE(in_parts.outcome->exact);
}

// Of wide layers: passes of an eval hold some hundred megabytes, and those of a training of few tokens do not.
class TightServe : public TinyWorks {
 protected:
  void SetUp() override {
    TinyWorks::SetUp();
    write_tiny_model(model(), 42, 1 << 15);
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "the tide comes in and goes out again.\n";
    write_file(folder_ / "held.txt", lines);
  }
  // The trainer has what it loads once.
  void warm_up() { ASSERT_EQ(run(short_training("warm")).outcome->kind, OutcomeKind::completed); }
  Work short_training(const std::string& name) const {
    Work work = training(name, Method::lora, 2);
    work.keep = Keep::adapters;
    return work;
  }
};

// They were trained again from their first step, with a smaller micro-batch, and their weights replaced.
TEST_F(TightServe, AnEvalWithoutMemoryGoesOnInSmallerPassesAndTheTrainingStands) {
  const auto with_evals = [&](const std::string& name) {
    Work work = short_training(name);
    work.evals = {loss_eval("on the way", 1), loss_eval("at the end", 2)};
    return work;
  };
  const Told roomy = run(with_evals("roomy"));
  ASSERT_EQ(roomy.outcome->kind, OutcomeKind::completed) << roomy.outcome->message;
  restart_trainer();
  warm_up();
  trainer().leave_room_for(320'000'000);
  const Told tight = run(with_evals("tight"));
  ASSERT_EQ(tight.outcome->kind, OutcomeKind::completed) << tight.outcome->message;
  EXPECT_TRUE(tight.outcome->exact);
  EXPECT_EQ(tight.outcome->weights_sha256, roomy.outcome->weights_sha256);
  for (const auto& [id, eval] : roomy.evals)
    EXPECT_NEAR(tight.evals.at(id).value, eval.value, 1e-4 * eval.value) << id;
  EXPECT_THAT(trainer().log(), HasSubstr("eval held ran out of memory with 1024 tokens in a pass"));
}

TEST_F(TightServe, AnEvalThatNoPassHasMemoryForIsLeftToTheKeptWeights) {
  Work work = short_training("tight");
  work.stage->settings.train.batch = 1;
  work.evals = {loss_eval("at the end", 2)};
  warm_up();
  trainer().leave_room_for(150'000'000);
  const Told told = run(work);
  ASSERT_EQ(told.outcome->kind, OutcomeKind::completed) << told.outcome->message;
  EXPECT_TRUE(told.outcome->exact);
  EXPECT_TRUE(told.evals.empty());
  EXPECT_THAT(told.outcome->message, HasSubstr("was not run: out of memory while evaluating"));
  EXPECT_TRUE(fs::exists(artifact("tight") / "adapter_model.safetensors"));
  work.keep = Keep::none;
  EXPECT_EQ(run(work, 2).outcome->kind, OutcomeKind::out_of_memory) << "nothing else has its weights";
}

TEST_F(Serve, DivergenceIsAResultWithItsStep) {
  Work work = training("hot", Method::full, 50);
  work.stage->settings.train.lr = 1e12;
  work.stage->settings.train.warmup = {.steps = 0, .share = {}};
  work.stage->settings.train.clip = 0;
  const Told told = run(work);
  EXPECT_EQ(told.outcome->kind, OutcomeKind::diverged);
  EXPECT_GT(told.outcome->step, 1);
  EXPECT_THAT(told.outcome->message, HasSubstr("not finite"));
}

TEST_F(Serve, StopsAtAStepBorderAndResumesToTheSameWeights) {
  const Told whole = run(training("whole", Method::lora, 300));
  Work work = training("halves", Method::lora, 300);
  work.checkpoint_every_ms = 0;  // each step is told of as it is made
  bool asked = false;
  const Told half = run(work, 1, [&](const TrainerReport& report) {
    if (asked || !std::holds_alternative<WorkFound>(report)) return;
    trainer().send(StopWork{order(work, 1).lease});
    asked = true;
  });
  ASSERT_EQ(half.outcome->kind, OutcomeKind::stopped);
  EXPECT_EQ(half.checkpoints.back(), half.outcome->step);
  const Told rest = run(work, 2);
  EXPECT_EQ(rest.outcome->kind, OutcomeKind::completed);
  EXPECT_EQ(rest.outcome->weights_sha256, whole.outcome->weights_sha256);
  EXPECT_EQ(rest.points.at("loss").begin()->first, half.outcome->step + 1);
}

// A cancelled trial's evals held its slot until the trainer was killed.
TEST_F(Serve, EvalsThatNobodyWaitsForEndHalfwayAndRunWhenTheTrialIsWantedAgain) {
  const fs::path file = folder_ / "long.txt";  // takes longer than a word on the pipe
  std::string lines;
  for (int i = 0; i < 20'000; ++i) lines += "the tide comes in and goes out again.\n";
  write_file(file, lines);
  for (const Step at : {2, 3}) {  // on the way, and at the end
    Work work = training("cancelled at " + std::to_string(at), Method::lora, 3);
    work.evals = {loss_eval("long", at)};
    work.evals[0].spec.data = file.string();
    work.evals[0].spec.data_sha256 = sha256_of_file(file);
    bool is_told = false;
    const Told dropped = run(work, 1, [&](const TrainerReport& report) {
      const auto* progress = std::get_if<WorkProgress>(&report);
      if (is_told || !progress || !progress->progress.phase.starts_with("evaluating")) return;
      trainer().send(StopWork{.lease = order(work, 1).lease, .is_unwanted = true});
      is_told = true;
    });
    ASSERT_TRUE(is_told);
    EXPECT_EQ(dropped.outcome->kind, OutcomeKind::stopped) << at;
    EXPECT_TRUE(dropped.evals.empty()) << at;
    work.evals[0].spec.limit = 2;  // the same in less time
    const Told again = run(work, 2);
    EXPECT_EQ(again.outcome->kind, OutcomeKind::completed) << at;
    EXPECT_EQ(again.evals.size(), 1U) << at;
  }
}

TEST_F(Serve, RefusesATrialThatIsToBeComputedByAnotherVersion) {
  Work work = training("newer", Method::lora, 3);
  work.stage->settings.engine = EngineSettings{.numerics = kNumericsVersion + 1};
  const Told told = run(work, 1);
  EXPECT_EQ(told.outcome->kind, OutcomeKind::refused);
  EXPECT_TRUE(told.outcome->message.starts_with("engine.numerics: the trial is to be computed by version "))
      << told.outcome->message;
  work.stage->settings.engine->numerics = kNumericsVersion;
  EXPECT_EQ(run(work, 2).outcome->kind, OutcomeKind::completed);
}

TEST_F(Serve, EndsWithZeroAfterACheckpointWhenTheCommandPipeEnds) {
  Work work = training("left", Method::lora, 100'000);
  bool closed = false;
  const Told told = run(work, 1, [&](const TrainerReport& report) {
    if (closed || !std::holds_alternative<WorkFound>(report)) return;
    trainer().close_commands();
    closed = true;
  });
  EXPECT_EQ(told.outcome->kind, OutcomeKind::stopped);
  EXPECT_EQ(told.checkpoints.size(), 1u);
  EXPECT_EQ(trainer().wait(), 0);
}

TEST_F(Serve, LeavesCheckpointsToTheWorkerAndKeepsThemWithTheArtifactWhenAsked) {
  for (const Keep keep : {Keep::adapters, Keep::checkpoints}) {
    Work work = training(std::string(text_of(keep)), Method::lora, 3);
    work.keep = keep;
    work.checkpoint_every_ms = 0;
    EXPECT_EQ(run(work).outcome->kind, OutcomeKind::completed);
    run(evaluation({loss_eval("b", 0)}));
    const fs::path checkpoints = work_dir() / "checkpoints" / work.stage->id.text;
    EXPECT_TRUE(fs::exists(checkpoints / "1"));
    const fs::path kept = work_dir() / "artifacts" / work.stage->trial.text / "checkpoints";
    EXPECT_EQ(fs::exists(kept), keep == Keep::checkpoints);
    if (keep != Keep::checkpoints) continue;
    fs::remove_all(checkpoints);  // as the worker does when nobody can resume the stage
    EXPECT_TRUE(fs::exists(kept / "2/state.safetensors"));
    EXPECT_TRUE(fs::exists(kept / "2/manifest.json"));
  }
}

TEST_F(Serve, RefusesToStartWithoutItsPipes) {
  const Ended ended = run_serve_without_pipes(work_dir(), folder_.path());
  EXPECT_EQ(ended.exit_code, kExitBadStart);
  EXPECT_THAT(ended.err, HasSubstr("descriptor 3, the command pipe, is not open"));
}

TEST_F(Serve, RefusesToStartInAFolderThatCannotBeWritten) {
  write_file(folder_ / "file", "not a folder");
  TrainerProcess process(folder_ / "file/work", folder_ / "log");
  EXPECT_EQ(process.wait(), kExitBadStart);
  EXPECT_THAT(process.log(), AllOf(HasSubstr("file/work/checkpoints: cannot be written: Not a directory"),
                                   HasSubstr("--work-dir")));
}

TEST_F(Serve, EndsAsACrashWhenTheWorkerSpeaksNonsense) {
  trainer().send_bytes(std::string("\x02\0\0\0zz", 6));
  EXPECT_EQ(trainer().wait(), 1);
  EXPECT_THAT(trainer().log(), HasSubstr("error:"));
}

}  // namespace
}  // namespace ranktide
