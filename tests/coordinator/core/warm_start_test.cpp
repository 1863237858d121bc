// Trials that start from what others left: which are taken, and who gets them.

#include "common/sweep/warm_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/scheduler.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class WarmStarts : public testing::Test {
 protected:
  // One trial of LoRA without evals, whose weights are kept as the sweep says.
  static SweepSpec source_spec(const std::string& run = "") {
    return sweep_for_tests({.name = "source", .has_evals = false, .run = run});
  }
  // The same with another seed, from the source's end.
  static SweepSpec warm_spec(const SweepTrial& source, const std::vector<int>& budgets = {}) {
    SweepSpec spec = sweep_for_tests({.name = "warm", .seeds = 2, .budgets = budgets, .has_evals = false});
    for (Block& block : spec.blocks) block.constants[kSourceKey] = "trial:" + source.id.text;
    spec.inputs.sources["trial:" + source.id.text] = {.trial = source.id,
                                                      .stage = source.stage,
                                                      .step = source.steps,
                                                      .base = source.base,
                                                      .tokenizer_sha256 = source.tokenizer_sha256,
                                                      .dtype = source.settings.model.dtype,
                                                      .method = source.settings.method,
                                                      .lora = source.settings.lora};
    return spec;
  }
  static SweepTrial first_of(const SweepSpec& spec) { return Grid(spec).at(0).value(); }

  void step(const Input& input) {
    effects_ = {};
    core_.step(now_, input, effects_);
    for (const ToWorker& to : effects_.messages)
      if (const auto* grant = std::get_if<Grant>(&to.message)) grants_.emplace_back(to.worker.text, *grant);
  }
  // Returns: why it was not taken; empty: it was.
  std::string submit(const SweepSpec& spec) {
    step(Submit{.reply_to = 1, .request_id = "r" + std::to_string(++requests_), .spec = spec});
    for (const Reply& reply : effects_.replies)
      if (const auto* rejected = std::get_if<Rejected>(&reply.answer)) return rejected->reason;
    return "";
  }
  void hello(const std::string& worker, int64_t memory_bytes = 0) {
    const Slot slot{.index = 0, .device = "cpu", .memory_bytes = memory_bytes};
    step(FromWorker{WorkerName{worker}, Hello{.boot = worker, .version = "test", .slots = {slot}, .held = {}}});
  }
  int64_t listed() const {  // in the last step
    return std::count_if(effects_.records.begin(), effects_.records.end(),
                         [](const Record& record) { return std::holds_alternative<TrialListed>(record); });
  }
  void complete(size_t grant) {
    Done done{.lease = grants_.at(grant).second.lease, .seq = 1, .outcome = {}};
    step(FromWorker{WorkerName{grants_.at(grant).first}, done});
  }
  void refuse(size_t grant) {
    Done done{.lease = grants_.at(grant).second.lease, .seq = 1, .outcome = {.kind = OutcomeKind::refused}};
    step(FromWorker{WorkerName{grants_.at(grant).first}, done});
  }
  const Unit& unit_of_grant(size_t grant) const {
    return core_.state().units().at(grants_.at(grant).second.lease.unit);
  }
  void w1_goes() {
    const Worker& w1 = core_.state().workers().at(WorkerName{"w1"});
    for (int i = 0; i < 10 && w1.is_joined; ++i) {  // it says nothing more
      now_ = core_.next_deadline().value();
      step(Wake{});
    }
  }
  // Returns: why it was not; empty: it was.
  std::string forget_w1() {
    step(ForgetWorker{
        .reply_to = 2, .request_id = "f" + std::to_string(++requests_), .worker = WorkerName{"w1"}});
    const auto* rejected = std::get_if<Rejected>(&effects_.replies.at(0).answer);
    return rejected ? rejected->reason : "";
  }
  void train_the_source() {
    hello("w1");
    ASSERT_EQ(submit(source_spec()), "");
    complete(0);
  }
  // The source's worker has gone, and w2 runs what starts from its weights, of which the coordinator has a
  // copy.
  void w2_takes_over(const SweepSpec& warm) {
    w1_goes();
    hello("w2");
    ASSERT_EQ(submit(warm), "");
    step(ArtifactsShelved{{first_of(source_spec()).id}});
    ASSERT_EQ(grants_.size(), 2U);
  }

  Instant now_;
  Coordinator core_{CoordinatorConfig{}, State{}, Instant{}};
  Effects effects_;
  std::vector<std::pair<std::string, Grant>> grants_;  // to whom
  int requests_ = 0;
};

TEST_F(WarmStarts, GoToTheWorkerThatHasWhatTheyStartFrom) {
  train_the_source();
  hello("w2");
  const SweepTrial source = first_of(source_spec());
  ASSERT_EQ(submit(warm_spec(source)), "");
  ASSERT_EQ(grants_.size(), 2U) << "w2 has a free slot, and nothing to start from";
  EXPECT_EQ(grants_[1].first, "w1");
  const Stage& stage = *grants_[1].second.work.stage;
  ASSERT_TRUE(stage.start.has_value());
  EXPECT_EQ(stage.start->trial, source.id);
  EXPECT_EQ(stage.start->stage, source.stage);
  EXPECT_EQ(stage.from, 0) << "a schedule of its own";
  complete(1);
  ASSERT_EQ(grants_.size(), 3U);
  EXPECT_EQ(grants_[2].first, "w1");
}

TEST_F(WarmStarts, MayBeginWithATrunkThatStartsWarmItself) {
  train_the_source();
  const SweepTrial source = first_of(source_spec());
  hello("w2");
  ASSERT_EQ(submit(warm_spec(source, {8, 12})), "");
  ASSERT_EQ(grants_.size(), 2U);
  EXPECT_EQ(grants_[1].first, "w1");
  const Work& trunk = grants_[1].second.work;
  EXPECT_EQ(trunk.branches.size(), 2U);
  ASSERT_TRUE(trunk.stage->start.has_value());
  EXPECT_EQ(trunk.stage->start->trial, source.id);
}

TEST_F(WarmStarts, AreRefusedWhereTheirSourceIsNotThereWhole) {
  const SweepTrial source = first_of(source_spec());
  EXPECT_THAT(submit(warm_spec(source)), AllOf(HasSubstr("model.from: trial:" + source.id.text),
                                               HasSubstr("is no trial of this coordinator")));
  ASSERT_EQ(submit(source_spec("keep: none")), "");
  hello("w1");
  EXPECT_THAT(submit(warm_spec(source)), HasSubstr("is running; a trial starts from one that has completed"));
  complete(0);
  EXPECT_THAT(submit(warm_spec(source)), HasSubstr("has left no weights: run.keep of its sweep kept none"));
}

TEST_F(WarmStarts, AreRefusedWithoutTheSourcesData) {
  train_the_source();
  SweepSpec spec = warm_spec(first_of(source_spec()));
  spec.inputs.sources.clear();
  EXPECT_THAT(submit(spec), HasSubstr("the source trial:"));
  spec = warm_spec(first_of(source_spec()));
  spec.inputs.sources.begin()->second.lora->rank = 64;
  EXPECT_THAT(submit(spec), HasSubstr("left an adapter of another shape")) << "validated here too";
}

TEST_F(WarmStarts, AreRefusedOfWhatIsNoTrialsId) {
  train_the_source();
  const SweepSpec fine = warm_spec(first_of(source_spec()));
  const auto refusal = [&](auto change) {
    SweepSpec spec = fine;
    change(spec.inputs.sources.begin()->second);
    return submit(spec);
  };
  const auto no_id = HasSubstr("is no trial's id and step");
  EXPECT_THAT(refusal([](SourceInput& s) { s.trial = TrialId{"../../" + std::string(58, 'a')}; }), no_id);
  EXPECT_THAT(refusal([](SourceInput& s) { s.weights = TrialId{".."}; }), no_id);
  EXPECT_THAT(refusal([](SourceInput& s) { s.stage = StageId{"a"}; }), no_id);
  EXPECT_THAT(refusal([](SourceInput& s) { s.step = 0; }), no_id);
  EXPECT_EQ(submit(fine), "");
}

TEST_F(WarmStarts, AreRefusedOfAnotherBaseThanTheSourcesOwn) {
  train_the_source();
  SweepSpec spec = warm_spec(first_of(source_spec()));
  for (auto& [key, model] : spec.inputs.models) model.base = BaseId{std::string(64, 'b')};
  spec.inputs.sources.begin()->second.base = BaseId{std::string(64, 'b')};
  EXPECT_THAT(submit(spec), HasSubstr("is no trial of this coordinator"));
}

TEST_F(WarmStarts, AreLookedForBeforeTheTurn) {
  const SweepTrial source = first_of(source_spec());
  const SpecLook looked = look_at(Submit{.request_id = "", .spec = warm_spec(source)});
  EXPECT_EQ(looked.fault, "");
  ASSERT_EQ(looked.starting.size(), 1U);
  EXPECT_EQ(looked.starting.at(source.stage).size(), 2U);
  SweepSpec cold = source_spec();
  cold.inputs.sources = warm_spec(source).inputs.sources;
  EXPECT_TRUE(look_at(Submit{.request_id = "", .spec = cold}).starting.empty());
  EXPECT_EQ(submit(cold), "") << "nothing is to start from what is not there";
}

// A journal may hold a sweep from before this was refused.
TEST_F(WarmStarts, OfASourceThatNobodyReadEndTheirSweepAndNotTheCoordinator) {
  hello("w1");
  SweepSpec warm = warm_spec(first_of(source_spec()));
  warm.inputs.sources.clear();
  step(Submit{.reply_to = 1, .request_id = "old", .spec = warm, .looked = SpecLook{.trial_count = 2}});
  EXPECT_TRUE(core_.state().find_sweep("warm")->is_cancelled);
  EXPECT_EQ(listed(), 0);
}

TEST_F(WarmStarts, AreNotAllListedForAWorkerThatCannotRunThem) {
  train_the_source();
  hello("w2");
  SweepSpec warm = warm_spec(first_of(source_spec()));
  for (uint64_t seed = 10; std::ssize(warm.seeds) < 3 * kMisfitsMax; ++seed) warm.seeds.push_back(seed);
  ASSERT_EQ(submit(warm), "");
  EXPECT_EQ(grants_.back().first, "w1");
  int64_t n = listed();
  for (; core_.next_deadline() == now_; n += listed()) step(Wake{});
  EXPECT_GE(n, kMisfitsMax) << "w2 looks for something of its own";
  EXPECT_LE(n, kMisfitsMax + 1);
}

TEST_F(WarmStarts, AskTheirSlotForMemoryAndAGpuButForNoLabel) {
  const int64_t gib = int64_t{1} << 30;
  hello("w1", 4 * gib);
  ASSERT_EQ(submit(source_spec()), "");
  complete(0);
  SweepSpec warm = warm_spec(first_of(source_spec()));
  warm.run.needs.memory_bytes = 8 * gib;
  ASSERT_EQ(submit(warm), "");
  EXPECT_EQ(grants_.size(), 1U) << "the user knows better than the prediction";
  warm.run.needs = {.memory_bytes = {}, .labels = {}, .gpus = 1};
  ASSERT_EQ(submit(warm), "");
  EXPECT_EQ(grants_.size(), 1U);
  warm.run.needs = {.memory_bytes = 2 * gib, .labels = {"a100"}};
  ASSERT_EQ(submit(warm), "");
  EXPECT_EQ(grants_.size(), 2U) << "a label would choose the worker, and the weights have";
}

TEST_F(WarmStarts, GoToAnybodyOnceTheirSourcesWorkerHasGoneAndTheCoordinatorHasWhatItLeft) {
  train_the_source();
  const SweepTrial source = first_of(source_spec());
  SweepSpec warm = warm_spec(source);
  warm.seeds.push_back(9);
  warm.run.needs.labels = {"a100"};
  w1_goes();
  ASSERT_EQ(submit(warm), "");
  hello("w2");
  step(ArtifactsShelved{{TrialId{std::string(64, '0')}}});
  EXPECT_EQ(grants_.size(), 1U) << "of another trial";
  step(ArtifactsShelved{{source.id}});
  EXPECT_EQ(grants_.size(), 1U) << "where it need not run it asks for its label";
  warm.run.needs.labels.clear();
  ASSERT_EQ(submit(warm), "");
  ASSERT_EQ(grants_.size(), 2U);
  EXPECT_EQ(grants_.back().first, "w2");
  EXPECT_EQ(grants_.back().second.work.stage->start->trial, source.id);
  hello("w1");
  EXPECT_EQ(grants_.size(), 3U);
}

TEST_F(WarmStarts, DoNotWaitForTheirSourcesWorkerWhileItIsBusyAndTheCoordinatorHasWhatItLeft) {
  train_the_source();
  const SweepTrial source = first_of(source_spec());
  SweepSpec warm = warm_spec(source);
  warm.seeds.push_back(9);
  hello("w2");
  ASSERT_EQ(submit(warm), "");
  ASSERT_EQ(grants_.size(), 2U) << "nobody but w1 has the weights";
  step(ArtifactsShelved{{source.id}});
  ASSERT_EQ(grants_.size(), 3U);
  EXPECT_EQ(grants_[2].first, "w2");
  complete(2);
  ASSERT_EQ(grants_.size(), 4U);
  EXPECT_EQ(grants_[3].first, "w2");
}

// w0 is asked first, while w1 has room yet.
TEST_F(WarmStarts, FillTheirSourcesWorkerBeforeOthersFetch) {
  train_the_source();
  const SweepTrial source = first_of(source_spec());
  step(ArtifactsShelved{{source.id}});
  hello("w0");
  ASSERT_EQ(submit(warm_spec(source)), "");
  ASSERT_EQ(grants_.size(), 3U) << "in the same step";
  EXPECT_EQ(grants_[1].first, "w1");
  EXPECT_EQ(grants_[2].first, "w0");
}

TEST_F(WarmStarts, GoElsewhereWhereNoSlotOfTheirSourcesWorkerFits) {
  const int64_t gib = int64_t{1} << 30;
  hello("w1", 4 * gib);
  ASSERT_EQ(submit(source_spec()), "");
  complete(0);
  const SweepTrial source = first_of(source_spec());
  SweepSpec warm = warm_spec(source);
  warm.run.needs.memory_bytes = 8 * gib;
  hello("w2", 16 * gib);
  ASSERT_EQ(submit(warm), "");
  EXPECT_EQ(grants_.size(), 1U);
  step(ArtifactsShelved{{source.id}});
  ASSERT_EQ(grants_.size(), 2U);
  EXPECT_EQ(grants_[1].first, "w2");
}

// The worker that has the source's weights is back by then, and would wait for the one that has the trunk's.
TEST_F(WarmStarts, GoOnWhereTheirTrunkWasTrainedThoughTheirSourcesWorkerIsBack) {
  train_the_source();
  SweepSpec warm = warm_spec(first_of(source_spec()), {8, 12});
  warm.seeds.resize(1);
  w2_takes_over(warm);
  ASSERT_EQ(grants_[1].second.work.branches.size(), 2U);
  hello("w1");
  complete(1);
  ASSERT_EQ(grants_.size(), 3U);
  EXPECT_EQ(grants_[2].first, "w2");
  complete(2);
  ASSERT_EQ(grants_.size(), 4U);
  EXPECT_EQ(grants_[3].first, "w2");
}

TEST_F(WarmStarts, DoNotWaitForATrunksWorkerThatLacksTheirLabel) {
  train_the_source();
  SweepSpec warm = warm_spec(first_of(source_spec()), {8, 12});
  warm.seeds.resize(1);
  w2_takes_over(warm);
  hello("w1");
  warm.run.needs.labels = {"a100"};
  ASSERT_EQ(submit(warm), "");
  complete(1);
  ASSERT_EQ(grants_.size(), 3U) << "at home, where the source's weights lie, no label is asked for";
  EXPECT_EQ(grants_[2].first, "w1");
}

TEST_F(WarmStarts, AreNotFailedByOneWorkerThatLacksSomethingWhereOthersMayHaveIt) {
  train_the_source();
  SweepSpec warm = warm_spec(first_of(source_spec()));
  warm.seeds.resize(1);
  warm.run.retry.own = 0;
  w2_takes_over(warm);
  hello("w3");
  refuse(1);
  ASSERT_EQ(grants_.size(), 3U);
  EXPECT_EQ(grants_[2].first, "w3");
  hello("w1");
  refuse(2);
  ASSERT_EQ(grants_.size(), 4U) << "who has the weights is back, and was not asked";
  EXPECT_EQ(grants_[3].first, "w1");
  refuse(3);
  EXPECT_EQ(unit_of_grant(3).life, UnitLife::failed) << "now nobody is left";
}

TEST_F(WarmStarts, WaitForTheirSourcesWorkerAgainOnceTheCoordinatorHasItNoMore) {
  train_the_source();
  const SweepTrial source = first_of(source_spec());
  w1_goes();
  step(ArtifactsShelved{{source.id}});
  step(ArtifactsGone{{source.id}});
  hello("w2");
  ASSERT_EQ(submit(warm_spec(source)), "");
  EXPECT_EQ(grants_.size(), 1U);
  hello("w1");
  ASSERT_EQ(grants_.size(), 2U);
  EXPECT_EQ(grants_[1].first, "w1");
}

TEST_F(WarmStarts, KeepTheirSourcesWorkerFromBeingForgotten) {
  train_the_source();
  const SweepSpec warm = warm_spec(first_of(source_spec()));
  w1_goes();
  ASSERT_EQ(submit(warm), "") << "it may come back";
  hello("w2");
  EXPECT_EQ(grants_.size(), 1U) << "nobody else has the weights";
  EXPECT_THAT(forget_w1(), HasSubstr("has kept the weights that 2 trials wait for"));
  step(ControlSweep{.reply_to = 3, .request_id = "c", .sweep = "warm", .action = SweepAction::cancel});
  EXPECT_EQ(forget_w1(), "");
  EXPECT_THAT(std::get<Controlled>(effects_.replies.at(0).answer).now,
              HasSubstr("a trial starts from them only where the coordinator has a copy"));
  EXPECT_THAT(submit(warm), HasSubstr("or its worker was forgotten and the coordinator has no copy"));
  EXPECT_TRUE(core_.state().find_sweep("warm")->is_cancelled);
  step(ArtifactsShelved{{first_of(source_spec()).id}});
  EXPECT_EQ(submit(warm), "");
  ASSERT_EQ(grants_.size(), 2U);
  EXPECT_EQ(grants_[1].first, "w2");
}

// What it lies on was another trial's.
TEST_F(WarmStarts, OfAForgottenWorkersAdapterNeedWhatThatLiesOnToo) {
  train_the_source();
  const TrialId weights{std::string(64, 'd')};
  SweepSpec warm = warm_spec(first_of(source_spec()));
  warm.inputs.sources.begin()->second.weights = weights;
  w1_goes();
  ASSERT_EQ(forget_w1(), "");
  step(ArtifactsShelved{{first_of(source_spec()).id}});
  EXPECT_THAT(submit(warm), HasSubstr("the coordinator has no copy"));
  step(ArtifactsShelved{{weights}});
  EXPECT_EQ(submit(warm), "");
}

TEST_F(WarmStarts, AreToldAtOnceThatTheirSourcesWorkerIsAway) {
  train_the_source();
  const SweepSpec warm = warm_spec(first_of(source_spec()));
  const auto away = [&](const std::string& request) {
    step(Submit{.reply_to = 1, .request_id = request, .spec = warm});
    return std::get<Submitted>(effects_.replies.at(0).answer).away;
  };
  w1_goes();
  ASSERT_EQ(away("first").size(), 1U);
  EXPECT_EQ(away("first").at(0).worker, WorkerName{"w1"}) << "the answer was lost, and is asked for again";
  EXPECT_EQ(away("first").at(0).from, warm.inputs.sources.begin()->first);
  hello("w1");
  EXPECT_TRUE(away("first").empty()) << "it is back";
  complete(1);
  complete(2);
  w1_goes();
  EXPECT_TRUE(away("first").empty()) << "nothing waits for it any more";
  EXPECT_TRUE(away("again").empty());
}

TEST_F(WarmStarts, ThatHaveEndedNeedTheirSourceNoMore) {
  train_the_source();
  SweepSpec warm = warm_spec(first_of(source_spec()));
  ASSERT_EQ(submit(warm), "");
  complete(1);
  complete(2);
  w1_goes();
  ASSERT_EQ(forget_w1(), "");
  warm.run.priority = 3;
  EXPECT_EQ(submit(warm), "") << "there is nothing to start";
  warm.seeds.push_back(9);
  EXPECT_THAT(submit(warm), HasSubstr("or its worker was forgotten"));
}

TEST_F(WarmStarts, AreTheSameAfterAReplay) {
  train_the_source();
  State replayed = core_.state();
  step(Submit{.reply_to = 1, .request_id = "warm", .spec = warm_spec(first_of(source_spec()))});
  for (const Record& record : effects_.records)
    replayed.apply(from_journal(kind_of(record), to_journal(record)));
  EXPECT_EQ(replayed.text(), core_.state().text());
}

}  // namespace
}  // namespace ranktide
