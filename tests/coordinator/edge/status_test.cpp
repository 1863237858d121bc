// Where sweeps stand.
#include <gtest/gtest.h>
#include <map>
#include <utility>

#include "coordinator/edge/query_status.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class StatusTest : public testing::Test {
 protected:
  StatusTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }
  SweepStatus status() { return *sweep_status(history.reader(), "quick"); }

  TemporaryFolder folder;
  History history;
};

TEST_F(StatusTest, CountsByStateAndNamesWhatRuns) {
  history.ran({.rank = 4, .seed = 0}, 1.6, 3.0);
  const SweepTrial running = history.list({.rank = 4, .seed = 1});
  history.list({.rank = 4, .seed = 2});
  history.listed();
  history.grant(running);
  history.points(running, {{3, "loss", 2.0}});
  const SweepStatus now = status();
  EXPECT_EQ(now.state, "running");
  EXPECT_EQ(now.trials.at("completed"), 1);
  EXPECT_EQ(now.trials.at("ready"), 1);
  ASSERT_EQ(now.running.size(), 1U);
  EXPECT_EQ(now.running[0].step, 3);
  EXPECT_EQ(now.running[0].settings, "math lora r4 all lr 0.0005 seed 1");
  EXPECT_EQ(now.steps_left, 2 * History::kSteps - 3);
  EXPECT_DOUBLE_EQ(*now.seconds_per_step, 30.0 / History::kSteps);
}

// What comes a second apart; a second attempt's begin with its own.
TEST_F(StatusTest, ARunningTrialsPaceIsThatOfItsAttempt) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  const auto pace = [&] { return status().running.at(0).seconds_per_step; };
  history.points(trial, {{1, "loss", 2.0}, {1, "lr", 0.1}});
  EXPECT_EQ(pace(), 0) << "nobody knows yet";
  history.points(trial, {{2, "loss", 2.0}, {3, "loss", 2.0}});
  history.points(trial, {{4, "loss", 2.0}, {5, "loss", 2.0}});
  EXPECT_DOUBLE_EQ(pace(), 2.0 / 4);
  history.record(LeaseExpired{.lease = history.lease(trial)});
  history.grant(trial);
  EXPECT_EQ(pace(), 0);
  history.points(trial, {{6, "loss", 2.0}});
  history.points(trial, {{7, "loss", 2.0}});
  EXPECT_DOUBLE_EQ(pace(), 1);
}

// Few points are read of a long curve, and the last ones say best how it goes on.
TEST_F(StatusTest, ARunningTrialsPaceIsThatOfItsLastSteps) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  for (const Step step : {1, 2}) history.points(trial, {{step, "loss", 2.0}});
  for (Step first = 3; first < 203; first += 50) {
    std::vector<Point> points;
    for (Step step = first; step < first + 50; ++step) points.push_back({step, "loss", 2.0});
    history.points(trial, points);
  }
  EXPECT_DOUBLE_EQ(status().running.at(0).seconds_per_step, 3.0 / 199) << "four turns with 50 steps each";
}

// Its trunk's points are in its curve, of an attempt with the same number, and it had waited for a slot.
TEST_F(StatusTest, ABranchsPaceIsThatOfItsOwnSteps) {
  const SweepTrial longest = history.list_branch({.rank = 4}, 6);
  history.list_branch({.rank = 8}, 4);
  history.grant_trunk();
  for (const Step step : {1, 2, 3}) {
    const int64_t at = status().running.at(0).started_ms + 1'000 * step;
    history.store().commit({}, {{longest.stage, 1, {{step, "loss", 2.0}}}}, at);
  }
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(BranchesOpened{history.trunk(), {{longest.stage, 6}}});
  for (int second = 0; second < 60; ++second) history.record(EpochStarted{.epoch = 2});
  history.grant(longest);
  const auto pace = [&] { return status().running.at(0).seconds_per_step; };
  const int64_t granted = status().running.at(0).started_ms;
  history.store().commit({}, {{longest.stage, 1, {{4, "loss", 2.0}, {5, "loss", 2.0}}}}, granted);
  history.points(longest, {{7, "loss", 2.0}});
  EXPECT_EQ(pace(), 0) << "what came in the turn that leased it was the trunk's";
  history.points(longest, {{9, "loss", 2.0}});
  EXPECT_DOUBLE_EQ(pace(), 0.5);
}

// 12 steps each, of which the second trial trains 4 after the trunk's 8 and the first 2 after its 10.
TEST_F(StatusTest, ATrunkRunsUnderTheTrialThatLeavesItLastAndItsStepsCountOnce) {
  const SweepTrial longest = history.list_branch({.rank = 4}, 10);
  const SweepTrial other = history.list_branch({.rank = 8}, 8);
  history.listed();
  history.grant_trunk();
  EXPECT_EQ(status().steps_left, 10 + 2 + 4);
  history.store().commit({}, {{.stage = longest.stage, .attempt = 1, .points = {{3, "loss", 2.0}}}}, 0);
  const SweepStatus now = status();
  EXPECT_EQ(now.state, "running");
  ASSERT_EQ(now.running.size(), 1U);
  EXPECT_EQ(now.running[0].trial, longest.id.text);
  EXPECT_EQ(now.running[0].step, 3);
  EXPECT_EQ(now.running[0].steps, 10);
  EXPECT_EQ(now.running[0].settings, "math lora r4 all lr 0.0005 seed 0, the beginning of 2 trials");
  EXPECT_EQ(now.steps_left, 7 + 2 + 4);
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(BranchesOpened{history.trunk(), {{longest.stage, 10}, {other.stage, 8}}});
  EXPECT_EQ(status().steps_left, 2 + 4);
  EXPECT_TRUE(status().running.empty());
}

// It had counted on as shared for as long as anything that was to begin with it waited.
class TrunkThatEnds : public StatusTest {
 protected:
  TrunkThatEnds() { list(); }

  void list() {
    longest = history.list_branch({.rank = 4}, 10);
    other = history.list_branch({.rank = 8}, 8);
    history.listed();
  }
  void trunk_fails(OutcomeKind kind) {
    Outcome outcome;
    outcome.kind = kind;
    history.record(AttemptFailed{.lease = history.trunk(), .outcome = outcome, .last = true});
  }

  static constexpr Step kShared = 10 + 2 + 4, kAlone = 2 * History::kSteps;
  SweepTrial longest, other;
};

TEST_F(TrunkThatEnds, WithoutLeavingAnythingSharesNoSteps) {
  history.grant_trunk();
  EXPECT_EQ(status().steps_left, kShared);
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  EXPECT_EQ(status().steps_left, kAlone);
}

// Whoever was to leave it last has begun for another sweep.
TEST_F(TrunkThatEnds, EarlierThanItWasToCountsUpToThere) {
  history.record(LeaseGranted{.lease = history.trunk(),
                              .worker = WorkerName{"w1"},
                              .boot = "a",
                              .slots = {0},
                              .evals = {},
                              .trunk_to = 8});
  ASSERT_EQ(status().running.size(), 1U);
  EXPECT_EQ(status().running[0].trial, other.id.text);
  EXPECT_EQ(status().running[0].steps, 8);
  EXPECT_EQ(status().steps_left, kAlone);
}

// Two of three wait for it; what it told the first time stays in their curves.
TEST_F(TrunkThatEnds, IsAtItsBeginningWhenItIsTrainedAgain) {
  const SweepTrial gone = history.list_branch({.rank = 16}, 11);
  history.grant_trunk();
  const auto tell = [&](Attempt attempt, const std::vector<Point>& points) {
    history.store().commit({}, {{longest.stage, attempt, points}, {gone.stage, attempt, points}}, 0);
  };
  tell(1, {{3, "loss", 2.0}, {8, "loss", 1.5}});
  EXPECT_EQ(status().running.at(0).step, 8);
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(TrunkReopened{history.trunk(), {{longest.stage, 10}, {other.stage, 8}}});
  history.record(LeaseGranted{
      .lease = {history.trunk().unit, 2}, .worker = WorkerName{"w1"}, .boot = "a", .slots = {0}, .evals = {}});
  const SweepStatus again = status();
  ASSERT_EQ(again.running.size(), 1U);
  EXPECT_EQ(again.running[0].trial, longest.id.text);
  EXPECT_EQ(again.running[0].steps, 10);
  EXPECT_EQ(again.running[0].step, 0);
  EXPECT_EQ(again.running[0].repeats_to, 8);
  EXPECT_TRUE(again.running[0].settings.ends_with(", the beginning of 2 trials, again up to step 8"))
      << again.running[0].settings;
  EXPECT_EQ(again.running[0].loss, 0);
  EXPECT_EQ(again.steps_left, kShared + History::kSteps);
  const auto shown = [&](Attempt attempt) {
    SweepStatus out = again;
    show_repeats(out,
                 {{.lease = {history.trunk().unit, attempt}, .phase = "training", .step = 5, .loss = 1.7}});
    return out;
  };
  EXPECT_EQ(shown(2).running[0].step, 5) << "as its worker says";
  EXPECT_EQ(shown(2).running[0].loss, 1.7);
  EXPECT_EQ(shown(2).steps_left, again.steps_left - 5);
  EXPECT_EQ(shown(1).running[0].step, 0) << "of another attempt";
  tell(2, {{3, "loss", 2.0}, {9, "loss", 1.4}});
  EXPECT_EQ(status().running.at(0).step, 9) << "further than it had come";
  EXPECT_EQ(status().running.at(0).repeats_to, 0);
  history.record(LeaseExpired{{history.trunk().unit, 2}});
  history.record(LeaseGranted{
      .lease = {history.trunk().unit, 3}, .worker = WorkerName{"w1"}, .boot = "a", .slots = {0}, .evals = {}});
  EXPECT_EQ(status().running.at(0).step, 9) << "it goes on";
}

TEST_F(TrunkThatEnds, ByFailingSharesNoStepsUntilALaterRevisionWantsItAgain) {
  history.grant_trunk();
  trunk_fails(OutcomeKind::failed);
  EXPECT_EQ(status().steps_left, kAlone);
  history.submit("quick", 2);
  list();
  EXPECT_EQ(status().steps_left, kShared);
}

TEST_F(TrunkThatEnds, ForWantOfMemorySharesNoSteps) {
  history.grant_trunk();
  trunk_fails(OutcomeKind::out_of_memory);
  EXPECT_EQ(status().steps_left, kAlone);
}

TEST_F(TrunkThatEnds, AtASilentWorkerIsStillToCome) {
  history.grant_trunk();
  history.record(LeaseExpired{history.trunk()});
  EXPECT_EQ(status().steps_left, kShared);
}

TEST_F(TrunkThatEnds, BeforeItBeganSharesNoStepsOfTrialsThatAreTriedAgain) {
  history.record(TrialsCancelled{1, "cancel", "ann", {longest.stage, other.stage}});
  history.record(TrunkDropped{.sweep = 1, .unit = history.trunk().unit});
  for (const SweepTrial& trial : {longest, other})
    history.record(TrialRetried{.sweep = 1, .revision = 1, .request_id = "retry", .trial = trial});
  EXPECT_EQ(status().steps_left, kAlone);
}

TEST_F(TrunkThatEnds, ForOneSweepIsStillToComeForAnother) {
  history.submit("second");
  list();
  history.record(TrunkDropped{.sweep = 2, .unit = history.trunk().unit});
  history.record(SweepCancelled{.sweep = 2, .request_id = "cancel"});
  EXPECT_EQ(status().steps_left, kShared);
}

TEST_F(StatusTest, FinishesWhenNothingMoreWillCome) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.finish(trial, 1.6, 3.0);
  EXPECT_EQ(status().state, "listing");
  history.listed();
  EXPECT_EQ(status().state, "running");  // the base's evals are still to come
  EXPECT_EQ(status().evals_missing, 2);
  history.base_scores(2.3, 3.0);
  EXPECT_EQ(status().state, "finished");
}

// Its step has gone by: no weights of it are left, whatever the trial kept of its end.
TEST_F(StatusTest, AnEvalMidwayOfATrialThatEndedKeepsNoSweepOpen) {
  history.ran({.rank = 4}, 1.6, 3.1);
  history.base_scores(2.0, 3.0);
  history.listed();
  history.submit("quick", 2);
  history.list({.rank = 4, .is_evaluated_midway = true});
  history.listed();
  const auto status = sweep_status(history.reader(), "quick");
  EXPECT_EQ(status->evals_missing, 0);
  EXPECT_TRUE(has_ended(*status)) << status->state;
}

TEST_F(StatusTest, TrialsThatNothingHasTouchedYetAreCountedAndTimed) {
  history.submit("quick", 2, 8);
  history.ran({.rank = 4, .seed = 0}, 1.6, 3.0);
  history.grant(history.list({.rank = 4, .seed = 1}));
  EXPECT_EQ(status().trials_total, 8);
  EXPECT_EQ(status().steps_left, 7 * History::kSteps);
  history.record(SweepStopped{.sweep = 1, .request_id = "r", .actor = "ann"});
  EXPECT_EQ(status().trials_total, 8);
  EXPECT_EQ(status().steps_left, History::kSteps) << "of a stopped sweep nothing more starts";
}

TEST_F(StatusTest, AFailedTrialDoesNotKeepASweepOpen) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.end(trial, OutcomeKind::failed, "signal 9");
  history.listed();
  history.base_scores(2.3, 3.0);
  EXPECT_EQ(status().state, "finished");
}

TEST_F(StatusTest, AnEvalThatFailedForGoodIsCountedWithItsReasonAndKeepsNoSweepOpen) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.listed();
  EXPECT_FALSE(status().failed_evals);
  EXPECT_FALSE(has_failures(status()));
  history.base_eval_fails("no room", false);
  EXPECT_FALSE(status().failed_evals) << "it is tried again";
  history.base_eval_fails("the weights are not here", true);
  const SweepStatus now = status();
  ASSERT_TRUE(now.failed_evals);
  EXPECT_EQ(now.failed_evals->evals, 1);
  EXPECT_EQ(now.failed_evals->message, "the weights are not here");
  EXPECT_EQ(now.evals_missing, 1) << "the base's other one";
  EXPECT_TRUE(has_failures(now));
}

// A grid that runs out of memory on slots of many sizes does so for one reason.
TEST_F(StatusTest, TellsEachReasonOfFailureOnceWhereverTrialsWerePlaced) {
  const auto fails = [&](uint64_t seed, const std::string& message) {
    const SweepTrial trial = history.list({.rank = 4, .seed = seed});
    history.grant(trial);
    history.end(trial, OutcomeKind::failed, message);
  };
  fails(1, "out of memory; placed for 2.1 GiB, with 4 rows at once; nothing smaller can be tried");
  fails(2, "out of memory; placed for 3.2 GiB, with 8 rows at once; nothing smaller can be tried");
  fails(3, "placed for 3.2 GiB; nothing smaller can be tried");
  fails(4, "no file d.txt");
  fails(5, "no file d.txt");
  std::map<std::string, std::pair<int64_t, bool>> told;
  for (const FailureReason& reason : failure_reasons(history.reader(), "quick"))
    told[reason.message.substr(0, 13)] = {reason.trials, reason.is_one_text};
  EXPECT_EQ(told,
            (std::map<std::string, std::pair<int64_t, bool>>{
                {"no file d.txt", {2, true}}, {"out of memory", {2, false}}, {"placed for 3.", {1, true}}}));
}

TEST_F(StatusTest, FindsTrialsByPrefix) {
  const SweepTrial trial = history.list({.rank = 4});
  EXPECT_EQ(trials_with_prefix(history.reader(), trial.id.brief()), std::vector{trial.id.text});
  EXPECT_TRUE(trials_with_prefix(history.reader(), "zz").empty());
}

TEST_F(StatusTest, KnowsNoSweepThatWasNeverSubmitted) {
  EXPECT_FALSE(sweep_status(history.reader(), "other"));
}

// Why nothing runs.
class WaitingTest : public StatusTest {
 protected:
  static constexpr int64_t kGiB = int64_t{1} << 30;

  void join(const std::string& name, const std::vector<Slot>& slots) {
    history.record(WorkerJoined{.worker = WorkerName{name}, .boot = name, .version = "1", .slots = slots});
  }
  void leave(const std::string& name) {
    history.record(WorkerLeft{.worker = WorkerName{name}, .boot = name, .reason = LeaveReason::drained});
  }
  static Slot slot(int64_t memory_bytes, const std::vector<std::string>& labels = {}) {
    return {.device = "cpu", .memory_bytes = memory_bytes, .labels = labels};
  }
  SweepTrial predict(const SweepTrial& trial, int64_t train_bytes, SweepNumber sweep = 1, int revision = 1) {
    history.record(
        TrialListed{.sweep = sweep, .revision = revision, .trial = trial, .memory = {train_bytes, kGiB}});
    return trial;
  }
  void submit_again(const std::string& name, SweepNumber sweep, int revision, const SlotNeeds& needs) {
    SweepSpec spec;
    spec.name = name;
    spec.run.needs = needs;
    history.record(SweepSubmitted{
        .sweep = sweep, .revision = revision, .request_id = name + " again", .spec_sha256 = "", .spec = spec});
  }
  std::string message() {
    const auto waiting = status().waiting;
    return waiting ? waiting->message : "";
  }
};

TEST_F(WaitingTest, NamesWhatTheTrialsNeedAndWhatThereIs) {
  leave("w1");
  predict(history.list({.rank = 4}), 5 * kGiB + kGiB / 10);
  predict(history.list({.rank = 4, .seed = 1}), 5 * kGiB + kGiB / 10);
  EXPECT_EQ(message(), "") << "no worker is here, and that is another thing";
  join("small", {slot(kGiB), slot(2 * kGiB - kGiB / 10)});
  EXPECT_EQ(message(),
            "2 trials wait for a slot that fits: they need 5.4 GiB; the largest of 2 slots has 1.9 GiB "
            "(run.needs.memory sets another figure)");
  EXPECT_EQ(status().waiting->trials, 2);
  EXPECT_EQ(status().waiting->slot_bytes_max, 2 * kGiB - kGiB / 10);
  predict(history.list({.rank = 8}), 3 * kGiB);
  EXPECT_EQ(message().substr(0, 65), "3 trials wait for a slot that fits: they need 3.1 GiB to 5.4 GiB;");
  join("large", {slot(8 * kGiB)});
  EXPECT_EQ(message(), "");
  leave("large");
  EXPECT_NE(message(), "") << "a worker that has left offers nothing";
}

TEST_F(WaitingTest, OneTrialAndOneSlotReadAsSuch) {
  leave("w1");
  join("small", {slot(kGiB + kGiB / 10)});
  predict(history.list({.rank = 4}), 2 * kGiB);
  EXPECT_EQ(message(),
            "1 trial waits for a slot that fits: it needs 2.1 GiB; the only slot has 1.1 GiB "
            "(run.needs.memory sets another figure)");
}

TEST_F(WaitingTest, ATrialInBf16WaitsForLessOnASlotThatMultipliesItAsItIs) {
  leave("w1");
  history.memory = {.train_bytes = 3 * kGiB, .as_it_is_bytes = 2 * kGiB};
  history.list({.rank = 4});
  join("cores", {slot(2 * kGiB)});
  EXPECT_NE(message().find("it needs 3.1 GiB; the only slot has 2.0 GiB"), std::string::npos) << message();
  leave("cores");
  Slot small = slot(kGiB);
  small.widens_bf16 = false;
  join("small", {small});
  EXPECT_NE(message().find("it needs 2.1 GiB; the only slot has 1.0 GiB"), std::string::npos) << message();
  leave("small");
  Slot enough = slot(3 * kGiB);  // but not for a twentieth more
  enough.widens_bf16 = false;
  join("enough", {enough});
  EXPECT_EQ(message(), "");
}

// With fewer rows by hand a trial fits that did not, and the core places it.
TEST_F(WaitingTest, ATrialWaitsForWhatItsSweepsNewestListingSays) {
  leave("w1");
  history.memory = {.train_bytes = 5 * kGiB, .as_it_is_bytes = 4 * kGiB};
  history.list({.rank = 4});
  Slot as_it_is = slot(3 * kGiB);
  as_it_is.widens_bf16 = false;
  join("w2", {as_it_is});
  EXPECT_NE(message().find("it needs 4.2 GiB"), std::string::npos) << message();
  history.submit("quick", 2);
  history.memory = {.train_bytes = 4 * kGiB, .as_it_is_bytes = 2 * kGiB};
  history.list({.rank = 4});
  EXPECT_EQ(message(), "");
  leave("w2");
  join("w3", {slot(3 * kGiB)});
  EXPECT_NE(message().find("it needs 4.2 GiB"), std::string::npos) << message();
  history.submit("another");
  history.memory = {.train_bytes = kGiB};
  history.list({.rank = 4});
  EXPECT_NE(message().find("it needs 4.2 GiB"), std::string::npos) << "two want it: the most";
}

TEST_F(WaitingTest, EvalsOfTheBaseWaitToo) {
  leave("w1");
  join("small", {slot(kGiB / 2)});
  predict(history.ran({.rank = 4}, 1.6, 3.0), 2 * kGiB);
  history.listed();
  EXPECT_EQ(message(),
            "2 evals wait for a slot that fits: they need 1.0 GiB; the only slot has 512 MiB "
            "(run.needs.memory sets another figure)");
  EXPECT_EQ(status().waiting->evals, status().evals_missing);
}

TEST_F(WaitingTest, LabelsAndGpusAreNamed) {
  submit_again("quick", 1, 2, {.memory_bytes = kGiB, .labels = {"a100", "nvlink"}, .gpus = 1});
  predict(history.list({.rank = 4}), 0, 1, 2);
  EXPECT_EQ(
      message(),
      "1 trial and 2 evals wait for a slot that fits: they need 1.0 GiB and labels a100, nvlink and a GPU; "
      "the only slot lacks some of that (see run.needs of the sweep)");
  join("w2", {slot(0, {"a100"})});
  EXPECT_NE(message().find("none of 2 slots has all of that"), std::string::npos) << message();
  EXPECT_EQ(status().waiting->labels, (std::vector<std::string>{"a100", "nvlink"}));
}

TEST_F(WaitingTest, WhatAnotherSweepNeedsOfASharedTrialCounts) {
  const SweepTrial shared = history.list({.rank = 4});
  EXPECT_EQ(message(), "");
  submit_again("picky", 2, 1, {.memory_bytes = {}, .labels = {"a100"}});
  predict(shared, 0, 2);
  EXPECT_NE(message().find("label a100"), std::string::npos) << message();
  history.record(SweepCancelled{.sweep = 2, .request_id = "cancel"});
  EXPECT_EQ(message(), "");
}

TEST_F(WaitingTest, WhatRunsOrIsHeldBackByHandDoesNotWait) {
  leave("w1");
  join("small", {slot(kGiB)});
  const SweepTrial trial = predict(history.list({.rank = 4}), 2 * kGiB);
  history.record(SweepPaused{.sweep = 1, .request_id = "pause"});
  EXPECT_EQ(message(), "");
  history.record(SweepResumed{.sweep = 1, .request_id = "resume"});
  EXPECT_NE(message(), "");
  history.grant(trial);
  EXPECT_EQ(status().waiting ? status().waiting->trials : 0, 0);
}

}  // namespace
}  // namespace ranktide
