// What transcripts (tests/scenarios) show less well: policies, limits, and evals that come late.

#include "coordinator/core/coordinator.h"

#include <gtest/gtest.h>
#include <optional>

#include "common/vocabulary/sha256.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;

// A small language: one verb per thing that can happen to a coordinator.
class Game : public testing::Test {
 protected:
  explicit Game(CoordinatorConfig config = {}) : core_(config, State{}, Instant{}) {}
  void submit(const SweepForTests& wish) { submit(sweep_for_tests(wish)); }
  void submit(SweepSpec spec) {
    step(Submit{.reply_to = 1, .request_id = "r" + std::to_string(++requests_), .spec = std::move(spec)});
  }
  void hello(const std::string& worker, int slots = 1) {
    Hello hello{.boot = worker + "-boot", .version = "test", .slots = {}, .held = {}};
    for (int i = 0; i < slots; ++i) hello.slots.push_back({.index = i, .device = "cpu"});
    step(FromWorker{WorkerName{worker}, hello});
  }
  void beat(const std::string& worker, const std::vector<Lease>& leases) {
    step(
        FromWorker{WorkerName{worker}, Heartbeat{.boot = worker + "-boot", .running = leases, .progress = {}}});
  }
  // The worker says it as the next entry of its newest attempt.
  void found(const Grant& grant, const std::vector<EvalId>& evals) {
    Report report{.lease = grant.lease, .seq = ++seqs_[grant.lease], .findings = {}};
    for (const EvalId& eval : evals)
      report.findings.evals.push_back({.id = eval, .metric = "loss", .value = 1});
    step(FromWorker{owner_.at(grant.lease), report});
  }
  void done(const Grant& grant, OutcomeKind kind) {
    Done done{.lease = grant.lease, .seq = ++seqs_[grant.lease], .outcome = {}};
    done.outcome.kind = kind;
    step(FromWorker{owner_.at(grant.lease), done});
  }
  // The first `n` grants give what they were asked for, and complete.
  void finish(size_t n) {
    for (size_t i = 0; i < n; ++i) {
      const Grant grant = grants_.at(i);
      found(grant, evals_of(grant));
      done(grant, OutcomeKind::completed);
    }
  }
  void pass(Duration time) { now_ = now_ + time; }
  void wake() { step(Wake{}); }

  void step(const Input& input) {
    effects_ = {};
    core_.step(now_, input, effects_);
    for (const ToWorker& to : effects_.messages)
      if (const auto* grant = std::get_if<Grant>(&to.message)) {
        grants_.push_back(*grant);
        owner_[grant->lease] = to.worker;
      }
  }
  template <class R>
  size_t count() const {
    size_t n = 0;
    for (const Record& record : effects_.records) n += std::holds_alternative<R>(record) ? 1 : 0;
    return n;
  }
  const Sweep& sweep(SweepNumber number) const { return core_.state().sweeps().at(number); }
  static int64_t in(const LifeCounts& counts, UnitLife life) { return counts[static_cast<size_t>(life)]; }
  static std::vector<EvalId> evals_of(const Grant& grant) {
    std::vector<EvalId> out;
    for (const EvalOrder& order : grant.work.evals) out.push_back(order.id);
    return out;
  }

  Instant now_;
  Coordinator core_;
  Effects effects_;            // of the last step
  std::vector<Grant> grants_;  // all that were said
  std::map<Lease, WorkerName> owner_;
  std::map<Lease, int64_t> seqs_;
  int requests_ = 0;
};

TEST_F(Game, TouchesNoMoreOfTheGridThanSlotsNeed) {
  submit({.ranks = {2, 4, 8, 16}, .seeds = 50, .has_evals = false});
  EXPECT_EQ(sweep(1).trials.size(), 0u);
  hello("w1", 2);
  EXPECT_EQ(sweep(1).trials.size(), 2u);
}

TEST_F(Game, CountsTheWholeGridWhenASweepIsSubmittedAndTriedAgain) {
  submit({.ranks = {2, 4, 8, 16}, .seeds = 50, .has_evals = false});
  EXPECT_EQ(std::get<SweepSubmitted>(effects_.records.at(0)).trial_count, 200);
  hello("w1");
  step(ControlSweep{.reply_to = 2, .request_id = "c", .sweep = sweep(1).name(), .action = SweepAction::cancel});
  step(ControlSweep{.reply_to = 3, .request_id = "t", .sweep = sweep(1).name(), .action = SweepAction::retry});
  EXPECT_EQ(std::get<SweepSubmitted>(effects_.records.at(0)).trial_count, 200);
}

TEST_F(Game, RunsTheHigherPriorityFirst) {
  submit({.name = "low", .ranks = {2}, .has_evals = false});
  submit({.name = "high", .ranks = {4}, .priority = 5, .has_evals = false});
  hello("w1");
  EXPECT_TRUE(sweep(2).units.contains(grants_.at(0).lease.unit));
}

TEST_F(Game, KeepsToMaxParallel) {
  submit({.ranks = {2, 4, 8}, .has_evals = false, .run = "max_parallel: 1"});
  hello("w1", 3);
  EXPECT_EQ(grants_.size(), 1u);
}

TEST_F(Game, TellsATrainerWhoseResultHasToBeExact) {
  submit({.name = "any", .ranks = {2}, .has_evals = false});
  submit({.name = "exact", .ranks = {4}, .has_evals = false, .run = "require_exact: true"});
  hello("w1", 2);
  ASSERT_EQ(grants_.size(), 2u);
  for (const Grant& grant : grants_)
    EXPECT_EQ(grant.work.require_exact, sweep(2).units.contains(grant.lease.unit));
}

TEST_F(Game, GivesAFreedSlotItsNextGrantInTheSameStep) {
  submit({.ranks = {2, 4}, .has_evals = false});
  hello("w1");
  done(grants_.at(0), OutcomeKind::completed);
  EXPECT_EQ(count<UnitFinished>(), 1u);
  EXPECT_EQ(count<LeaseGranted>(), 1u);
}

TEST_F(Game, EvaluatesTheUntouchedBaseBeforeAnyStage) {
  submit({.ranks = {2}});
  hello("w1", 3);
  EXPECT_EQ(grants_.at(0).work.kind, WorkKind::evaluate);
  EXPECT_EQ(grants_.at(1).work.kind, WorkKind::evaluate);
  EXPECT_EQ(grants_.at(2).work.kind, WorkKind::train);
}

// Gain and forgetting are differences to it, so a sweep that named later steps only had neither.
TEST_F(Game, EvaluatesTheUntouchedBaseOnceWhateverEvalAtSays) {
  submit({.name = "end", .ranks = {2}, .eval_at = "[end]"});
  submit({.name = "later", .ranks = {4, 8}, .eval_at = "[3]"});
  hello("w1", 5);
  std::vector<WorkKind> kinds;
  for (const Grant& grant : grants_) kinds.push_back(grant.work.kind);
  using enum WorkKind;
  EXPECT_EQ(kinds, (std::vector{evaluate, evaluate, train, train, train}));
  for (size_t i = 0; i < 2; ++i) EXPECT_FALSE(grants_.at(i).work.stage) << "an eval of a trial";
}

// A loss per token depends on what a token is.
TEST_F(Game, ABaseReadByAnotherTokenizerIsEvaluatedByItself) {
  submit({.name = "own", .ranks = {2}});
  submit({.name = "other", .ranks = {2}, .tokenizer = "other_tokenizer"});
  hello("w1", 6);
  ASSERT_EQ(grants_.size(), 6u) << "two evals of each base and a stage of each sweep";
  EXPECT_EQ(grants_.at(0).work.base, grants_.at(3).work.base);
  EXPECT_NE(grants_.at(0).work.tokenizer_sha256, grants_.at(3).work.tokenizer_sha256);
}

TEST_F(Game, ReusesATrialThatAnotherSweepFinished) {
  submit({.name = "first", .ranks = {2}});
  hello("w1", 3);
  finish(3);
  submit({.name = "second", .ranks = {2}});
  EXPECT_EQ(grants_.size(), 3u);
  EXPECT_TRUE(sweep(2).is_over());
  EXPECT_EQ(sweep(2).evals_finished, 4);
}

TEST_F(Game, LeasesLateEvalsByThemselvesWhereTheWeightsLie) {
  submit({.name = "first", .ranks = {2}, .eval_at = "[0]"});
  hello("w1", 3);
  const Grant stage = grants_.at(2);
  done(stage, OutcomeKind::completed);
  hello("w2", 3);
  submit({.name = "second", .ranks = {2}, .eval_at = "[end]"});
  ASSERT_EQ(grants_.size(), 4u) << "one free slot at w1, none of w2 fits";
  EXPECT_EQ(owner_.at(grants_.back().lease), WorkerName{"w1"});
  EXPECT_EQ(grants_.back().work.kind, WorkKind::evaluate);
  EXPECT_EQ(grants_.back().work.stage->id.text, stage.lease.unit.text);
}

TEST_F(Game, LeavesLateEvalsUnmetWhenNothingWasKept) {
  submit({.name = "first", .ranks = {2}, .eval_at = "[0]", .run = "keep: none"});
  hello("w1", 3);
  finish(3);
  submit({.name = "second", .ranks = {2}, .eval_at = "[end]"});
  EXPECT_TRUE(sweep(2).is_over());
  EXPECT_EQ(sweep(2).evals.size(), 4u);
  EXPECT_EQ(sweep(2).evals_finished, 2) << "the untouched base's alone";
}

TEST_F(Game, LetsARevisionDropWhatIsQueuedAndFinishWhatRuns) {
  submit({.ranks = {2, 4}, .has_evals = false});
  hello("w1");
  submit({.ranks = {8}, .has_evals = false});
  EXPECT_EQ(sweep(1).revision, 2);
  done(grants_.at(0), OutcomeKind::completed);
  EXPECT_EQ(core_.state().units().at(grants_.at(0).lease.unit).life, UnitLife::completed);
  done(grants_.at(1), OutcomeKind::completed);
  EXPECT_EQ(grants_.size(), 2u);
  EXPECT_EQ(in(sweep(1).stages, UnitLife::completed), 1);
  EXPECT_TRUE(sweep(1).is_over());
}

TEST_F(Game, TriesAFailedTrialAgainWhenTheSameFileIsSubmittedAgain) {
  submit({.ranks = {2}, .has_evals = false, .run = "retry: {own: 0}"});
  hello("w1");
  done(grants_.at(0), OutcomeKind::failed);
  EXPECT_TRUE(sweep(1).is_over());
  submit({.ranks = {2}, .has_evals = false, .run = "retry: {own: 0}"});
  EXPECT_EQ(grants_.size(), 2u);
}

TEST_F(Game, StopsASweepAfterMaxFailures) {
  submit({.ranks = {2, 4, 8}, .has_evals = false, .run = "retry: {own: 0}, max_failures: 1"});
  hello("w1");
  done(grants_.at(0), OutcomeKind::failed);
  EXPECT_TRUE(sweep(1).is_cancelled);
  EXPECT_EQ(grants_.size(), 1u);
}

TEST_F(Game, FailsAUnitThatLosesItsWorkerTooOften) {
  submit({.ranks = {2}, .has_evals = false, .run = "retry: {infra: 2}"});
  for (int life = 1; life <= 3; ++life) {
    hello("w" + std::to_string(life));
    pass(120s);
    wake();
  }
  EXPECT_EQ(in(sweep(1).stages, UnitLife::failed), 1);
}

// A lease under two minutes was taken, and was two minutes all the same.
TEST_F(Game, GivesUpAWorkerAfterTheSilenceThatTheSweepAllows) {
  submit({.ranks = {2}, .has_evals = false, .run = "lease: 45s"});
  hello("w1");
  pass(44s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 0u);
  pass(1s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 1u);
}

TEST_F(Game, GivesUpNobodyBeforeThreeHeartbeatsAreDue) {
  submit({.ranks = {2}, .has_evals = false, .run = "lease: 1s"});
  hello("w1");
  pass(29s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 0u);
  pass(1s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 1u);
}

TEST_F(Game, ExpiresNothingWhenItWasDeafItself) {
  submit({.ranks = {2}, .has_evals = false});
  hello("w1");
  pass(600s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 0u);
  pass(10s);
  wake();
  EXPECT_EQ(count<LeaseExpired>(), 1u) << "a heartbeat's time later it is the worker that is silent";
}

// Replay would find another boot than the live state, and fence the worker after a restart.
class ShortSteps : public Game {
 protected:
  ShortSteps() : Game({.listed_at_once = 5, .walked_at_once = 20}) {}
  void finish_all_of(const SweepForTests& wish) {
    submit(wish);
    hello("w1");
    for (size_t i = 0; i < grants_.size(); ++i) done(grants_[i], OutcomeKind::completed);
    ASSERT_TRUE(sweep(1).is_over());
  }
};

// Its trials leave nothing to run, so that no grant would end the search before the whole grid is listed.
TEST_F(ShortSteps, AFinishedGridIsListedAgainOverSeveral) {
  finish_all_of({.seeds = 12, .has_evals = false});
  submit({.seeds = 12, .priority = 1, .has_evals = false});
  EXPECT_EQ(count<TrialListed>(), 5U);
  EXPECT_EQ(core_.next_deadline(), now_);
  beat("w1", {});
  EXPECT_EQ(count<TrialListed>(), 0U) << "many messages make one turn";
  EXPECT_EQ(core_.next_deadline(), now_);
  wake();
  EXPECT_EQ(count<TrialListed>(), 5U);
  wake();
  EXPECT_EQ(count<TrialListed>(), 2U);
  EXPECT_TRUE(sweep(1).is_over());
  EXPECT_NE(core_.next_deadline(), now_);
}

TEST_F(ShortSteps, LeaveNoSlotIdleThatALaterSweepHasWorkFor) {
  finish_all_of({.seeds = 12, .has_evals = false});
  submit({.name = "later", .ranks = {8}});
  const size_t evals_first = grants_.size();
  submit({.seeds = 12, .priority = 1, .has_evals = false});
  EXPECT_EQ(count<TrialListed>(), 0U) << "no slot is free";
  done(grants_.at(evals_first - 1), OutcomeKind::completed);
  EXPECT_EQ(count<TrialListed>(), 5U);
  EXPECT_EQ(grants_.size(), evals_first + 1) << "what is ready of the later sweep";
  EXPECT_FALSE(sweep(1).is_over());
}

TEST_F(ShortSteps, TheyAreNoDeafness) {
  finish_all_of({.seeds = 12, .has_evals = false});
  submit({.seeds = 12, .priority = 1, .has_evals = false});
  pass(5s);
  wake();
  wake();
  ASSERT_TRUE(sweep(1).is_over());
  EXPECT_EQ(core_.next_deadline(), Instant{} + Duration{120s}) << "what w1 had from the beginning";
}

TEST_F(ShortSteps, PlacesWithoutATrialArePassedOverSeveral) {
  hello("w1");
  SweepForTests wish{.ranks = {}, .has_evals = false};
  for (int rank = 1; rank <= 50; ++rank) wish.ranks.push_back(rank);
  SweepSpec spec = sweep_for_tests(wish);
  spec.blocks.at(0).exclude = {{.text = "lora.rank < 50", .where = "tiny.yaml:1:1"}};
  submit(spec);
  EXPECT_EQ(core_.next_deadline(), now_);
  wake();
  EXPECT_EQ(grants_.size(), 0U);
  wake();
  EXPECT_EQ(grants_.size(), 1U) << "the last of fifty, beyond twice twenty";
  EXPECT_EQ(sweep(1).trials.begin()->first, 49);
}

TEST_F(Game, IgnoresAHelloWithBytesThatTheJournalDoesNotKeep) {
  hello("w\xff");
  EXPECT_TRUE(effects_.records.empty());
  hello("w1");
  EXPECT_EQ(count<WorkerJoined>(), 1u);
}

// The store has no row for one, so the claim that a row changed ended the coordinator.
TEST_F(Game, TakesNoCheckpointOfAnEvalNorOneBeyondTheStage) {
  submit({.ranks = {2}, .steps = 6});
  hello("w1", 3);
  for (const auto& [grant, step] : {std::pair<size_t, Step>{0, 1}, {2, 7}, {2, -1}}) {
    Report report{.lease = grants_.at(grant).lease, .seq = ++seqs_[grants_.at(grant).lease], .findings = {}};
    report.findings.checkpoint = step;
    this->step(FromWorker{WorkerName{"w1"}, report});
    EXPECT_EQ(count<CheckpointSaved>(), 0u) << step;
  }
}

TEST_F(Game, GivesASuspectWorkerNothingNewUntilItIsHeard) {
  hello("w1");
  pass(31s);
  submit({.ranks = {2}, .has_evals = false});
  EXPECT_TRUE(grants_.empty());
  beat("w1", {});
  EXPECT_EQ(grants_.size(), 1u);
}

TEST_F(Game, ListensToNobodyWhoDoesNotOwnTheLease) {
  submit({.ranks = {2}, .has_evals = false});
  hello("w1");
  hello("w2");
  owner_[grants_.at(0).lease] = WorkerName{"w2"};
  done(grants_.at(0), OutcomeKind::completed);
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_TRUE(std::holds_alternative<Fenced>(effects_.messages.at(0).message));
}

TEST_F(Game, NamesTheInputFilesThatAWorkReads) {
  SweepSpec spec = sweep_for_tests({.ranks = {2}});
  spec.inputs.contents = {{"/sweeps/base/config.json", {sha256_hex("c"), 1}},
                          {"/sweeps/base-2/config.json", {sha256_hex("d"), 1}},
                          {"/sweeps/words.jsonl", {sha256_hex("w"), 2}},
                          {"/sweeps/prose.txt", {sha256_hex("another text than was planned"), 3}},
                          {"/sweeps/held_out.jsonl", {sha256_hex("/sweeps/held_out.jsonl"), 4}}};
  step(Submit{.reply_to = 1, .request_id = "r", .spec = spec});
  hello("w1", 3);
  std::vector<std::string> paths;
  for (const InputFile& file : grants_.at(2).work.inputs) paths.push_back(file.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"/sweeps/base/config.json", "/sweeps/words.jsonl",
                                             "/sweeps/held_out.jsonl"}));
}

TEST_F(Game, AsksAnotherWorkerWhenOneLacksAnInput) {
  submit({.ranks = {2}, .has_evals = false});
  hello("w1");
  hello("w2");
  done(grants_.at(0), OutcomeKind::refused);
  ASSERT_EQ(grants_.size(), 2u);
  EXPECT_EQ(owner_.at(grants_.at(1).lease), WorkerName{"w2"});
  EXPECT_EQ(core_.state().units().at(grants_.at(1).lease.unit).own_failures, 0);
}

TEST_F(Game, AWorkerThatRefusedRestsBeforeItIsAskedForMore) {
  submit({.ranks = {2, 4, 8}, .has_evals = false});
  hello("w1");
  hello("w2");
  done(grants_.at(0), OutcomeKind::refused);
  EXPECT_EQ(grants_.size(), 2u) << "w2 is busy, w1 rests";
  pass(10s);
  wake();
  ASSERT_EQ(grants_.size(), 3u);
  EXPECT_NE(grants_.at(2).lease.unit, grants_.at(0).lease.unit);
}

TEST_F(Game, FailsAUnitThatEveryWorkerRefusesAgainAndAgain) {
  submit({.ranks = {2}, .has_evals = false, .run = "retry: {own: 1}"});
  hello("w1");
  done(grants_.at(0), OutcomeKind::refused);
  EXPECT_EQ(in(sweep(1).stages, UnitLife::ready), 1);
  pass(10s);
  wake();
  done(grants_.at(1), OutcomeKind::refused);
  EXPECT_EQ(in(sweep(1).stages, UnitLife::failed), 1);
}

// A grid's last trial was cancelled by listing all before it, in one commit.
TEST_F(Game, CancelsTheLastTrialOfAHugeGridWithoutListingTheOthers) {
  submit({.ranks = {2, 4, 8, 16}, .seeds = 50'000, .has_evals = false});
  hello("w1");
  TrialChoice last;
  last.looked = TrialsLook{.revision = 1, .trials = {199'999}, .fault = ""};
  step(ControlTrials{.request_id = "c", .sweep = "tiny", .action = SweepAction::cancel, .trials = last});
  EXPECT_EQ(effects_.records.size(), 2u);
  EXPECT_EQ(count<TrialListed>(), 1u);
  EXPECT_EQ(count<TrialsCancelled>(), 1u);
  EXPECT_EQ(sweep(1).trials.size(), 2u);
  EXPECT_EQ(sweep(1).cursor, 1) << "the others' turn comes as before";
  EXPECT_EQ(in(sweep(1).stages, UnitLife::cancelled), 1);
}

// Each trial was looked at, which took the turn minutes where there were many.
TEST_F(Game, FindsWhatFailedByItsUnitsAndTriesAtMostAThousandAgainAtOnce) {
  submit({.ranks = {2, 4, 8, 16}, .seeds = 400, .has_evals = false, .run = "retry: {own: 0}"});
  hello("w1");
  for (size_t i = 0; i < 1'203; ++i) {
    const Grant grant = grants_.at(i);
    done(grant, i < 3 ? OutcomeKind::completed : OutcomeKind::failed);
    if (i % 10 == 0) beat("w1", {grants_.back().lease});
  }
  EXPECT_EQ(sweep(1).failed.size(), 1'200u);
  for (const UnitId& unit : sweep(1).failed) EXPECT_EQ(core_.state().units().at(unit).life, UnitLife::failed);
  const TrialChoice failed{.failed = true};
  step(ControlTrials{.request_id = "t", .sweep = "tiny", .action = SweepAction::retry, .trials = failed});
  EXPECT_EQ(count<TrialRetried>(), 1'000u);
  EXPECT_EQ(std::get<Controlled>(effects_.replies.at(0).answer).now,
            "sweep tiny: 1000 trials tried again; 200 more failed: ask again for them");
  EXPECT_EQ(sweep(1).failed.size(), 200u);
}

TEST_F(Game, TriesAFailedEvalOfTheBaseAgainByOneOfItsTrials) {
  submit({.ranks = {2, 4, 8}, .run = "retry: {own: 0}"});
  hello("w1", 5);
  done(grants_.at(0), OutcomeKind::failed);
  EXPECT_EQ(grants_.at(0).work.kind, WorkKind::evaluate);
  const TrialChoice failed{.failed = true};
  step(ControlTrials{.request_id = "t", .sweep = "tiny", .action = SweepAction::retry, .trials = failed});
  EXPECT_EQ(count<TrialRetried>(), 1u);
  EXPECT_EQ(in(sweep(1).eval_units, UnitLife::failed), 0);
  EXPECT_TRUE(sweep(1).failed.empty());
}

TEST_F(Game, AWorkerWhoseWeightsAnEvalWaitsForIsNotForgotten) {
  submit({.name = "first", .ranks = {2}, .eval_at = "[0]", .run = "keep: adapters"});
  hello("w1", 3);
  finish(3);
  step(FromWorker{WorkerName{"w1"}, Drain{"w1-boot"}});
  submit({.name = "later", .ranks = {2}, .eval_at = "[end]", .run = "keep: adapters"});
  hello("w2", 3);
  step(ForgetWorker{.request_id = "f", .worker = WorkerName{"w1"}});
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_EQ(
      std::get<Rejected>(effects_.replies.at(0).answer).reason,
      "worker w1 has kept the weights that 2 evals wait for; start it again, or cancel their trials first");
  step(ControlSweep{.request_id = "c", .sweep = "later", .action = SweepAction::cancel});
  step(ForgetWorker{.request_id = "f", .worker = WorkerName{"w1"}});
  EXPECT_EQ(count<WorkerForgotten>(), 1u);
  EXPECT_EQ(core_.state().find_worker(WorkerName{"w1"}), nullptr);
  // What it had kept has gone with it: nothing waits for it.
  submit({.name = "last", .ranks = {2}, .eval_at = "[end]", .run = "keep: adapters"});
  beat("w2", {});
  EXPECT_TRUE(sweep(3).is_over());
}

TEST_F(Game, AStoppedSweepEndsATrunkThatNothingBeginsWithAnyMore) {
  submit({.budgets = {6, 9}, .has_evals = false});
  hello("w1");
  const Lease trunk = grants_.at(0).lease;
  EXPECT_TRUE(core_.state().units().at(trunk.unit).is_trunk());
  step(ControlSweep{.request_id = "s", .sweep = "tiny", .action = SweepAction::stop});
  EXPECT_EQ(count<SweepStopped>(), 1u);
  EXPECT_EQ(count<TrunkDropped>(), 1u);
  EXPECT_EQ(core_.state().units().at(trunk.unit).life, UnitLife::cancelled);
  EXPECT_EQ(std::get<Stop>(effects_.messages.at(0).message).kind, StopKind::kill);
}

// Its steps would be made for nobody: no branch opens from an end that is not exact.
TEST_F(Game, ATrunkBeginsAnewRatherThanEndInexact) {
  submit({.budgets = {6, 9}, .has_evals = false});
  hello("w1");
  ASSERT_TRUE(core_.state().units().at(grants_.at(0).lease.unit).is_trunk());
  EXPECT_TRUE(grants_.at(0).work.require_exact);
}

TEST_F(Game, ATrialThatComesAfterItsTrunkHasBegunDoesNotWaitForIt) {
  submit({.name = "first", .budgets = {6, 9}, .has_evals = false});
  submit({.name = "second", .budgets = {5, 9}, .has_evals = false});
  hello("w1");
  hello("w2");
  ASSERT_EQ(grants_.size(), 2u);
  EXPECT_EQ(grants_.at(1).work.stage->to, 5);
  EXPECT_TRUE(core_.state().units().at(grants_.at(1).lease.unit).trunk.empty());
}

TEST_F(Game, ATrialDoesNotWaitForATrunkThatFitsNoWorker) {
  submit({.name = "picky", .budgets = {6, 9}, .has_evals = false, .run = "needs: {gpus: 1}"});
  submit({.name = "plain", .budgets = {5, 9}, .has_evals = false});
  hello("w1");
  ASSERT_EQ(grants_.size(), 1u);
  EXPECT_EQ(grants_.at(0).work.stage->to, 5);
  EXPECT_FALSE(core_.state().units().at(grants_.at(0).lease.unit).trunk.empty());
}

TEST_F(Game, LooksAtNoMoreDevicesThanAWorkerHasNorAtBytesThatAreNoWord) {
  hello("w1");
  const auto beat_with = [&](const std::vector<DeviceUse>& devices) {
    step(FromWorker{WorkerName{"w1"},
                    Heartbeat{.boot = "w1-boot", .running = {}, .progress = {}, .devices = devices}});
    return core_.pulses().at(WorkerName{"w1"}).devices.size();
  };
  EXPECT_EQ(beat_with({{.device = "GPU-1"}}), 1u);
  EXPECT_EQ(beat_with({{.device = "\xff"}, {.device = "GPU-2"}}), 1u);
  EXPECT_EQ(beat_with(std::vector<DeviceUse>(1'025, {.device = "GPU-1"})), 1u);
}

TEST_F(Game, RejectsAnEvalThatNoTrainerRuns) {
  SweepSpec spec = sweep_for_tests({.ranks = {2}});
  spec.blocks.at(0).constants["eval.learn"] = {{"humaneval", {{"data", "/h.jsonl"}, {"kind", "code"}}}};
  spec.inputs.files["/h.jsonl"] = "h";
  step(Submit{.reply_to = 1, .request_id = "r", .spec = spec});
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_NE(
      std::get<Rejected>(effects_.replies.at(0).answer).reason.find("kind code can be planned, not run yet"),
      std::string::npos);
}

// Two blocks that share a cell and call two evals by one name.
SweepSpec sweep_of_two_minds() {
  SweepSpec spec = sweep_for_tests({.ranks = {2}});
  spec.blocks.push_back(spec.blocks.at(0));
  spec.blocks.at(1).name = "again";
  Json& task = spec.blocks.at(1).constants.at("eval.learn").begin().value();
  task["limit"] = 7;
  return spec;
}

TEST_F(Game, RejectsASweepOfWhichATrialWouldHaveTwoEvalsOfOneName) {
  step(Submit{.reply_to = 1, .request_id = "r", .spec = sweep_of_two_minds()});
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_NE(std::get<Rejected>(effects_.replies.at(0).answer).reason.find("is defined in two ways"),
            std::string::npos);
}

TEST_F(Game, ASweepThatAnEarlierVersionTookAndNobodyCanListIsCancelledWithTheReason) {
  step(Submit{.reply_to = 1,
              .request_id = "r",
              .spec = sweep_of_two_minds(),
              .looked = SpecLook{.fault = {}, .trial_count = 1}});
  hello("w1");
  EXPECT_TRUE(grants_.empty());
  EXPECT_TRUE(core_.state().sweeps().at(1).is_cancelled);
}

TEST_F(Game, SaysWhyTrialsOfASweepThatDoesNotResolveCannotBeNamed) {
  submit({.ranks = {2}});
  step(Submit{.reply_to = 1,
              .request_id = "r",
              .spec = sweep_of_two_minds(),
              .looked = SpecLook{.fault = {}, .trial_count = 1}});
  step(
      ControlTrials{.reply_to = 2, .request_id = "t", .sweep = sweep(1).name(), .trials = {.prefixes = {"a"}}});
  const std::string reason = std::get<Rejected>(effects_.replies.at(0).answer).reason;
  EXPECT_NE(reason.find("cannot be looked for"), std::string::npos) << reason;
  EXPECT_NE(reason.find("is defined in two ways"), std::string::npos) << reason;
}

TEST_F(Game, AnEditThatCancelsNothingLetsWhatRunsFinishAndIsTheSameRecordAsBefore) {
  submit({.ranks = {2, 4}, .has_evals = false});
  hello("w1", 2);
  submit({.ranks = {4}, .has_evals = false});
  const auto& edit = std::get<SweepSubmitted>(effects_.records.at(0));
  EXPECT_EQ(edit.revision, 2);
  EXPECT_EQ(to_journal(edit).find("removed"), std::string::npos);
  EXPECT_TRUE(effects_.messages.empty()) << "nobody is told to stop";
  for (const Grant& grant : grants_)
    EXPECT_EQ(core_.state().units().at(grant.lease.unit).life, UnitLife::running);
}

// What the second slot is asked for hangs on it: the slot of what was removed is free at once.
TEST_F(Game, AnEditThatCancelsWhatItRemovesFreesItsSlotInTheSameStep) {
  submit({.ranks = {2, 4}, .has_evals = false});
  hello("w1", 2);
  ASSERT_EQ(grants_.size(), 2u);
  const Submit edit{.reply_to = 1,
                    .request_id = "edit",
                    .spec = sweep_for_tests({.ranks = {4, 8}, .has_evals = false}),
                    .cancel_removed = true};
  step(edit);
  EXPECT_EQ(std::get<SweepSubmitted>(effects_.records.at(0)).removed,
            std::vector<UnitId>{grants_[0].lease.unit});
  EXPECT_EQ(core_.state().units().at(grants_[0].lease.unit).life, UnitLife::cancelled);
  EXPECT_EQ(core_.state().units().at(grants_[1].lease.unit).life, UnitLife::running);
  EXPECT_EQ(grants_.size(), 3u);
  step(edit);
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_TRUE(effects_.messages.empty());
  EXPECT_EQ(std::get<Submitted>(effects_.replies.at(0).answer).revision, 2);
}

TEST_F(Game, RejectsASweepWhoseInputsNobodyRead) {
  SweepSpec spec = sweep_for_tests({.ranks = {2}});
  spec.inputs.files.clear();
  step(Submit{.reply_to = 1, .request_id = "r", .spec = spec});
  EXPECT_TRUE(effects_.records.empty());
  EXPECT_NE(std::get<Rejected>(effects_.replies.at(0).answer).reason.find("was not read by the client"),
            std::string::npos);
}

TEST(Records, GoThroughTheJournalUnchanged) {
  AttemptFailed failed{.lease = {UnitId{std::string(64, 'a')}, 2}, .outcome = {}, .retry_after_ms = 10};
  failed.outcome.kind = OutcomeKind::failed;
  failed.outcome.log_tail = "plain text";
  const Record back = from_journal("AttemptFailed", to_journal(failed));
  EXPECT_TRUE(equal(std::get<AttemptFailed>(back), failed));
}

TEST(Records, KeepALogTailThatIsNotUtf8Readable) {
  AttemptFailed failed{.lease = {UnitId{std::string(64, 'a')}, 2}, .outcome = {}};
  failed.outcome.log_tail = "caf\xe9";
  EXPECT_EQ(std::get<AttemptFailed>(from_journal("AttemptFailed", to_journal(failed))).outcome.log_tail,
            "caf\xef\xbf\xbd");
}

TEST(Records, OfANewerVersionAreNamed) {
  try {
    from_journal("TrialTeleported", "{}");
    FAIL();
  } catch (const ProtocolError& error) {
    EXPECT_NE(std::string(error.what()).find("\"TrialTeleported\"; the folder was written by a newer ranktide"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace ranktide
