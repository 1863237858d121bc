#include "worker/agent/agent.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

using namespace std::chrono_literals;

Lease lease(Attempt attempt = 1) {
  return {UnitId{std::string(64, 'a')}, attempt};
}
Lease lease_of(char unit) {
  return {UnitId{std::string(64, unit)}, 1};
}
Lease other_lease() {
  return {UnitId{std::string(64, 'b')}, 1};
}

// A small language: one verb per thing that can happen to an agent.
class Desk : public testing::Test {
 protected:
  explicit Desk(const AgentConfig& c = config()) : agent_(c, Instant{}) {}
  static AgentConfig config() {
    return {
        .boot = "life", .version = "test", .slots = {{.index = 0, .device = "cpu"}}, .spool_bytes_max = 2'000};
  }
  void start() { step(SpoolLoaded{}), connect(); }
  void connect() {
    step(Connected{});
    hears(Welcome{.boot = "life", .heartbeat_ms = 10'000, .lease_ms = 120'000});
  }
  void hears(const CoordinatorMessage& message, uint64_t epoch = 1) { step(FromCoordinator{epoch, message}); }
  void granted(const Lease& which = lease()) {
    hears(Grant{.lease = which, .boot = "life", .slots = {0}, .work = {}});
  }
  void finds(Step point, const Lease& which = lease()) {
    Findings findings;
    findings.points.push_back({.step = point, .name = "loss", .value = 1});
    step(FromTrainer{0, WorkFound{which, findings}});
  }
  void ends(OutcomeKind kind, const Lease& which = lease()) {
    Outcome outcome;
    outcome.kind = kind;
    step(FromTrainer{0, WorkEnded{which, outcome}});
  }
  void pass(Duration time) {
    now_ = now_ + time;
    step(AgentWake{});
  }
  void step(const AgentInput& input) {
    out_ = {};
    agent_.step(now_, input, out_);
  }
  template <class M>
  std::vector<M> said() const {
    std::vector<M> found;
    for (const WorkerMessage& message : out_.messages)
      if (const auto* m = std::get_if<M>(&message)) found.push_back(*m);
    return found;
  }
  // Returns: of each StopWork of the last step, whether the work is unwanted.
  std::vector<bool> stops() const {
    std::vector<bool> found;
    for (const TrainerAction& action : out_.trainers) {
      const auto* send = std::get_if<SendTrainer>(&action);
      const auto* stop = send ? std::get_if<StopWork>(&send->command) : nullptr;
      if (stop) found.push_back(stop->is_unwanted);
    }
    return found;
  }
  template <class A, class Variant>
  static size_t count(const std::vector<Variant>& actions) {
    return static_cast<size_t>(std::count_if(actions.begin(), actions.end(),
                                             [](const Variant& a) { return std::holds_alternative<A>(a); }));
  }

  Instant now_;
  Agent agent_;
  AgentEffects out_;  // of the last step
};

// A worker that takes one lease a slot and goes.
class OneRound : public Desk {
 protected:
  OneRound() : Desk(of_two_slots()) {}
  static AgentConfig of_two_slots() {
    AgentConfig c = config();
    c.slots.push_back({.index = 1, .device = "cpu"});
    c.once = true;
    return c;
  }
  void granted_on(int slot, const Lease& which, WorkKind kind = WorkKind::train) {
    hears(Grant{.lease = which, .boot = "life", .slots = {slot}, .work = {.kind = kind}});
  }
};

TEST_F(Desk, StartsATrainerForItsFirstGrantAndKeepsItForTheNext) {
  start();
  granted();
  EXPECT_EQ(count<StartTrainer>(out_.trainers), 1u);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
  ends(OutcomeKind::completed);
  granted(other_lease());
  EXPECT_EQ(count<StartTrainer>(out_.trainers), 0u);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
}

TEST_F(Desk, SpoolsAReportInTheStepThatSendsIt) {
  start();
  granted();
  finds(1);
  ASSERT_EQ(count<SpoolAppend>(out_.spool), 1u);
  EXPECT_EQ(said<Report>().at(0).seq, 1);
  EXPECT_EQ(spool_bytes(said<Report>().at(0)), std::get<SpoolAppend>(out_.spool.at(0)).bytes);
}

TEST_F(Desk, SyncsADoneAndNotAPoint) {
  start();
  granted();
  finds(1);
  EXPECT_FALSE(std::get<SpoolAppend>(out_.spool.at(0)).sync);
  ends(OutcomeKind::completed);
  EXPECT_TRUE(std::get<SpoolAppend>(out_.spool.at(0)).sync);
}

TEST_F(Desk, SaysAgainWhatIsNotAckedInTime) {
  start();
  granted();
  finds(1);
  hears(Ack{lease(), 1});
  finds(2);
  pass(5s);
  ASSERT_EQ(said<Report>().size(), 1u);
  EXPECT_EQ(said<Report>().at(0).seq, 2);
}

TEST_F(Desk, GoesBackToAGapOnceForManyNacks) {
  start();
  granted();
  for (Step step = 1; step <= 3; ++step) finds(step);
  hears(Nack{lease(), 2});
  EXPECT_EQ(said<Report>().size(), 2u);
  hears(Nack{lease(), 2});
  EXPECT_TRUE(said<Report>().empty());
}

TEST_F(Desk, SaysWhereItStandsWhenAnAckedEntryIsAskedFor) {
  start();
  granted();
  for (Step step = 1; step <= 3; ++step) finds(step);
  hears(Ack{lease(), 2});
  hears(Nack{lease(), 2});
  ASSERT_EQ(said<Hello>().size(), 1u);
  EXPECT_EQ(said<Hello>().at(0).held.at(0).last_acked_seq, 2);
  hears(Nack{lease(), 2});
  EXPECT_TRUE(said<Hello>().empty()) << "one is under way";
}

TEST_F(Desk, ForgetsAnAttemptWhenItsDoneIsAcked) {
  start();
  granted();
  ends(OutcomeKind::completed);
  hears(Ack{lease(), 1});
  EXPECT_EQ(count<SpoolForget>(out_.spool), 1u);
  pass(10s);
  EXPECT_TRUE(said<Heartbeat>().at(0).running.empty());
}

TEST_F(Desk, StartsARepeatedGrantOnce) {
  start();
  granted();
  granted();
  EXPECT_TRUE(out_.trainers.empty());
  ends(OutcomeKind::completed);
  hears(Ack{lease(), 1});
  granted();
  EXPECT_TRUE(out_.trainers.empty()) << "a copy that was long under way";
}

TEST_F(Desk, RemembersAnEndedUnitAsLongAsACopyOfItsGrantMayBeUnderWay) {
  start();
  granted();
  ends(OutcomeKind::completed);
  hears(Ack{lease(), 1});
  pass(59min);
  granted();
  EXPECT_TRUE(out_.trainers.empty());
  for (int look = 0; look < 2; ++look) pass(1h);
  granted();
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u) << "for the daemon's life it would be too many";
}

TEST_F(Desk, RefusesAGrantMeantForAnotherLife) {
  start();
  hears(Grant{.lease = lease(), .boot = "former life", .slots = {0}, .work = {}});
  EXPECT_TRUE(out_.trainers.empty());
}

TEST_F(Desk, SendsAFormerLifesSpoolToItsEndAndAddsNothing) {
  const Report report{.lease = lease(), .seq = 4, .findings = {}};
  step(SpoolLoaded{{{.lease = lease(), .entries = {{4, spool_bytes(report)}}}}});
  step(Connected{});
  EXPECT_EQ(said<Hello>().at(0).held.at(0).last_acked_seq, 3);
  hears(Welcome{.boot = "life"});
  EXPECT_EQ(said<Report>().at(0).seq, 4);
  hears(Ack{lease(), 4});
  EXPECT_EQ(count<SpoolForget>(out_.spool), 1u);
}

TEST_F(Desk, StopsAFencedAttemptWithoutAWord) {
  start();
  granted();
  hears(Fenced{lease(), 2});
  EXPECT_EQ(count<SpoolForget>(out_.spool), 1u);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
  ends(OutcomeKind::stopped);
  EXPECT_TRUE(out_.messages.empty());
}

// Its evals ran on for half a minute, until the trainer was killed, and the slot's next work waited for that.
TEST_F(Desk, TellsTheTrainerOfACancelledAttemptThatNobodyWaitsForItsEvals) {
  start();
  granted();
  hears(Stop{lease(), StopKind::checkpoint});
  EXPECT_EQ(stops(), std::vector{false});
  hears(Stop{lease(), StopKind::checkpoint});
  EXPECT_TRUE(stops().empty()) << "it was told";
  hears(Stop{lease(), StopKind::kill});
  EXPECT_EQ(stops(), std::vector{true});
  hears(Fenced{lease(), 2});
  EXPECT_TRUE(stops().empty()) << "it was told";
  pass(30s);
  EXPECT_EQ(count<KillTrainer>(out_.trainers), 1u) << "so long after the first word";
}

TEST_F(Desk, KillsATrainerThatDoesNotStopAndThenRunsWhatWaits) {
  start();
  granted();
  hears(Abandon{lease()});
  granted(other_lease());
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 0u);
  pass(30s);
  EXPECT_EQ(count<KillTrainer>(out_.trainers), 1u);
  step(TrainerDied{.slot = 0, .message = "killed", .log_tail = ""});
  EXPECT_EQ(count<StartTrainer>(out_.trainers), 1u);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
}

TEST_F(Desk, ReportsACrashWithTheTrainersLastLines) {
  start();
  granted();
  step(TrainerDied{.slot = 0, .message = "killed by signal 11", .log_tail = "last words"});
  const Done done = said<Done>().at(0);
  EXPECT_EQ(done.outcome.kind, OutcomeKind::failed);
  EXPECT_EQ(done.outcome.message, "the trainer ended: killed by signal 11");
  EXPECT_EQ(done.outcome.log_tail, "last words");
}

TEST_F(Desk, GivesEverythingBackAndLeavesWhereNoTrainerCanStart) {
  start();
  granted();
  granted(other_lease());
  step(TrainerDied{.slot = 0, .kind = OutcomeKind::stopped, .message = "exited with code 78", .log_tail = ""});
  EXPECT_EQ(count<StartTrainer>(out_.trainers), 0u);
  const std::vector<Done> done = said<Done>();
  ASSERT_EQ(done.size(), 2u);
  for (const Done& each : done) EXPECT_EQ(each.outcome.kind, OutcomeKind::stopped);
  EXPECT_EQ(said<Drain>().size(), 1u);
}

TEST_F(Desk, EndsWhenAnotherProcessOfItsKeyHasTakenItsPlace) {
  start();
  hears(Replaced{"former life"});
  EXPECT_FALSE(agent_.is_replaced()) << "that one has ended already";
  hears(Replaced{"life"});
  EXPECT_TRUE(agent_.is_replaced());
}

TEST_F(Desk, TellsInItsHeartbeatsWhatItsDevicesHoldAndWhatItSaidAgain) {
  start();
  granted();
  finds(1), finds(2);
  step(DevicesMeasured{{{.device = "GPU-1", .memory_used_bytes = 3, .memory_bytes = 8}}});
  pass(10s);
  ASSERT_EQ(said<Heartbeat>().size(), 1u);
  EXPECT_EQ(said<Heartbeat>().at(0).devices.at(0).memory_used_bytes, 3);
  EXPECT_EQ(said<Report>().size(), 2u) << "nobody acked them";
  hears(Ack{lease(), 2});
  finds(3);
  pass(10s);
  EXPECT_EQ(said<Heartbeat>().at(0).resent, 2) << "the third is said again after this";
}

TEST_F(Desk, TakesASilentTrainerForAHang) {
  start();
  granted();
  for (int i = 0; i < 9; ++i) {
    pass(100s);
    hears(Heard{"life"});
  }
  EXPECT_EQ(agent_.next_deadline().has_value(), true);
  step(TrainerDied{.slot = 0, .message = "killed", .log_tail = ""});
  EXPECT_NE(said<Done>().at(0).outcome.message.find("said nothing for 900 s"), std::string::npos);
}

TEST_F(Desk, PausesTrainersAtTheSpoolLimitAndDropsNothing) {
  step(SpoolLoaded{});
  granted();
  size_t appended = 0;
  bool is_paused = false;
  for (Step step = 1; step <= 100 && !is_paused; ++step) {
    finds(step);
    appended += count<SpoolAppend>(out_.spool);
    is_paused = count<PauseTrainer>(out_.trainers) == 1;
  }
  ASSERT_TRUE(is_paused);
  connect();
  EXPECT_EQ(said<Report>().size(), appended);
  hears(Ack{lease(), static_cast<int64_t>(appended)});
  EXPECT_EQ(count<ResumeTrainer>(out_.trainers), 1u);
}

TEST_F(Desk, IgnoresACoordinatorOfAnOlderEpoch) {
  start();
  hears(Heard{"life"}, 5);
  EXPECT_EQ(said<Hello>().size(), 1u) << "a newer one does not know where attempts stand";
  hears(Grant{.lease = lease(), .boot = "life", .slots = {0}, .work = {}}, 4);
  EXPECT_TRUE(out_.trainers.empty());
}

TEST_F(Desk, SaysHelloAgainUntilItIsWelcomed) {
  step(SpoolLoaded{});
  step(Connected{});
  EXPECT_EQ(said<Hello>().size(), 1u);
  pass(5s);
  EXPECT_EQ(said<Hello>().size(), 1u);
}

TEST_F(Desk, DrainsByCheckpointingReturningAndLeaving) {
  start();
  granted();
  step(DrainRequested{});
  EXPECT_EQ(said<Drain>().size(), 1u);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
  ends(OutcomeKind::stopped);
  EXPECT_FALSE(agent_.is_drained());
  hears(Ack{lease(), 1});
  EXPECT_TRUE(agent_.is_drained());
}

TEST_F(Desk, GivesBackAGrantThatComesWhileDraining) {
  start();
  step(DrainRequested{});
  granted();
  EXPECT_EQ(said<Done>().at(0).outcome.kind, OutcomeKind::stopped);
}

TEST_F(Desk, StaysSilentOnceItHasSaidGoodbye) {
  start();
  step(DrainRequested{});
  ASSERT_TRUE(agent_.is_drained());
  hears(AskHello{"life"});
  EXPECT_TRUE(out_.messages.empty());
  hears(Heard{"life"}, 2);  // a new coordinator
  EXPECT_TRUE(out_.messages.empty());
  pass(200s);
  EXPECT_TRUE(out_.messages.empty());
  EXPECT_TRUE(agent_.is_drained());
  EXPECT_EQ(agent_.next_deadline(), std::nullopt);
}

TEST_F(Desk, AUnitIsOverOnceItsResultIsAcked) {
  start();
  for (const OutcomeKind kind : {OutcomeKind::completed, OutcomeKind::diverged}) {
    const Lease ended = lease_of(static_cast<char>('a' + static_cast<int>(kind)));
    granted(ended);
    ends(kind, ended);
    EXPECT_TRUE(out_.over.empty());
    hears(Ack{ended, 1});
    EXPECT_EQ(out_.over, std::vector{ended.unit});
  }
}

TEST_F(Desk, AUnitThatMayBeGrantedAgainIsNotOver) {
  start();
  for (const OutcomeKind kind : {OutcomeKind::failed, OutcomeKind::out_of_memory, OutcomeKind::stopped}) {
    const Lease ended = lease_of(static_cast<char>('a' + static_cast<int>(kind)));
    granted(ended);
    ends(kind, ended);
    hears(Ack{ended, 1});
    EXPECT_EQ(count<SpoolForget>(out_.spool), 1u);
    EXPECT_TRUE(out_.over.empty());
  }
}

TEST_F(Desk, AUnitWhoseResultAFormerLifeSpooledIsOverWhateverTheAnswer) {
  const std::string done = spool_bytes(Done{.lease = lease(), .seq = 4, .outcome = {}});
  step(SpoolLoaded{{{.lease = lease(), .entries = {{4, done}}}}});
  connect();
  hears(Abandon{lease()});
  EXPECT_EQ(out_.over, std::vector{lease().unit});
}

TEST_F(Desk, AMovedUnitIsNotOver) {
  start();
  granted();
  hears(Fenced{lease(), 2});
  ends(OutcomeKind::stopped);
  EXPECT_TRUE(out_.over.empty());
}

TEST_F(Desk, ACancelledUnitIsOverOnceItsTrainerHasStopped) {
  start();
  granted();
  hears(Stop{lease(), StopKind::kill});
  EXPECT_TRUE(out_.over.empty()) << "it writes a checkpoint yet";
  ends(OutcomeKind::stopped);
  EXPECT_EQ(out_.over, std::vector{lease().unit});
}

TEST_F(Desk, AUnitThatAnotherWorkerHasEndedIsOverOnceItsTrainerHereHasStopped) {
  start();
  granted();
  hears(Stop{lease(2), StopKind::kill});
  EXPECT_TRUE(out_.over.empty()) << "it does not know yet that it is not listened to, and writes a checkpoint";
  hears(Fenced{lease(), 2});
  ends(OutcomeKind::stopped);
  EXPECT_EQ(out_.over, std::vector{lease().unit});
}
TEST_F(Desk, AUnitThatNeverRanHereIsOverWhenItIsStopped) {
  start();
  granted();
  const Lease branch{lease_of('b').unit, 0};
  hears(Stop{branch, StopKind::kill});
  EXPECT_EQ(out_.over, std::vector{branch.unit});
  EXPECT_EQ(count<KillTrainer>(out_.trainers), 0u);
}

TEST_F(Desk, AnOlderAttemptThatIsStoppedDoesNotEndTheOneThatRuns) {
  start();
  granted(lease(2));
  hears(Stop{lease(1), StopKind::kill});
  EXPECT_TRUE(out_.over.empty());
  EXPECT_TRUE(out_.trainers.empty());
}

TEST_F(Desk, ACancelledUnitThatIsWantedAgainIsNotOver) {
  start();
  granted();
  hears(Stop{lease(), StopKind::kill});
  granted(lease(2));
  ends(OutcomeKind::stopped);
  EXPECT_TRUE(out_.over.empty());
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1u);
}

TEST_F(Desk, ACancelledUnitThatWasWantedAgainIsNotOverHoweverLongItsTrainerHangs) {
  start();
  granted();
  hears(Stop{lease(), StopKind::kill});
  granted(lease(2));
  hears(Stop{lease(2), StopKind::checkpoint});
  hears(Ack{lease(2), 1});
  for (int look = 0; look < 3; ++look) pass(1h);
  step(TrainerDied{.slot = 0, .message = "killed", .log_tail = ""});
  EXPECT_TRUE(out_.over.empty());
}

TEST_F(Desk, ADrainWaitsForCancelledTrainersWithoutAWord) {
  start();
  granted();
  hears(Stop{lease(), StopKind::kill});
  step(DrainRequested{});
  EXPECT_FALSE(agent_.is_drained());
  pass(10s);
  EXPECT_TRUE(out_.messages.empty());
  ends(OutcomeKind::stopped);
  EXPECT_EQ(out_.over, std::vector{lease().unit});
  EXPECT_TRUE(agent_.is_drained());
}

TEST_F(Desk, SplitsFindingsThatDoNotFitOneMessage) {
  start();
  granted();
  Findings findings;
  for (Step step = 1; step <= 5'000; ++step)
    findings.points.push_back({.step = step, .name = "loss", .value = 1});
  findings.checkpoint = 5'000;
  step(FromTrainer{0, WorkFound{lease(), findings}});
  ASSERT_EQ(said<Report>().size(), 3u);
  EXPECT_FALSE(said<Report>().at(1).findings.checkpoint);
  EXPECT_EQ(said<Report>().at(2).findings.checkpoint, 5'000);
}

TEST_F(Desk, IsIdleWhileItHasNothingToDoOrToTell) {
  start();
  EXPECT_TRUE(agent_.is_idle());
  granted();
  EXPECT_TRUE(agent_.is_working());
  ends(OutcomeKind::completed);
  EXPECT_FALSE(agent_.is_working());
  EXPECT_FALSE(agent_.is_idle()) << "its Done is not acked";
  hears(Ack{lease(), 1});
  EXPECT_TRUE(agent_.is_idle());
}

TEST_F(OneRound, LeavesWhenEverySlotHasHadALease) {
  start();
  granted_on(0, lease());
  EXPECT_TRUE(said<Drain>().empty());
  granted_on(1, other_lease());
  EXPECT_EQ(said<Drain>().size(), 1U);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1U) << "and it is not stopped";
  granted_on(0, lease_of('c'));
  EXPECT_EQ(said<Done>().at(0).outcome.kind, OutcomeKind::stopped);
}

// The slot that its Done frees would be granted the next lease in the same turn of the coordinator.
TEST_F(OneRound, SaysThatItTakesNothingMoreBeforeItsFirstDone) {
  start();
  granted_on(0, lease());
  ends(OutcomeKind::completed);
  ASSERT_EQ(out_.messages.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Drain>(out_.messages[0]));
  EXPECT_TRUE(std::holds_alternative<Done>(out_.messages[1]));
  EXPECT_FALSE(agent_.is_drained());
  hears(Ack{lease(), 1});
  EXPECT_TRUE(agent_.is_drained());
}

// What is kept of an attempt goes with it: a later one of its unit is judged by itself.
TEST_F(OneRound, AnAttemptThatWasFencedIsForgotten) {
  start();
  granted_on(0, lease());
  hears(Fenced{lease(), 2});
  ends(OutcomeKind::stopped);
  granted_on(0, lease(3), WorkKind::evaluate);
  ends(OutcomeKind::completed, lease(3));
  EXPECT_EQ(said<Done>().size(), 1U);
  EXPECT_TRUE(said<Drain>().empty());
}

TEST_F(OneRound, EvalsByThemselvesAreNoLeaseOfItsRound) {
  start();
  granted_on(0, lease(), WorkKind::evaluate);
  granted_on(1, other_lease(), WorkKind::evaluate);
  ends(OutcomeKind::completed);
  EXPECT_TRUE(said<Drain>().empty());
  granted_on(0, lease_of('c'));
  EXPECT_TRUE(said<Done>().empty()) << "it is taken";
  ends(OutcomeKind::completed, lease_of('c'));
  EXPECT_EQ(said<Drain>().size(), 1U);
}

TEST_F(OneRound, ATrunkIsNoTrainingOfItsRound) {
  start();
  hears(Grant{.lease = lease(),
              .boot = "life",
              .slots = {0},
              .work = {.kind = WorkKind::train, .branches = {{StageId{"b"}, 4}}}});
  ends(OutcomeKind::completed);
  EXPECT_TRUE(said<Drain>().empty()) << "who leaves now has trained it for nobody";
  granted_on(0, other_lease());
  ends(OutcomeKind::completed, other_lease());
  EXPECT_EQ(said<Drain>().size(), 1U);
}

TEST_F(Desk, AfterItsLastWorkTakesNothingNewAndLeavesWhenThatHasEnded) {
  start();
  granted();
  step(LastWork{});
  EXPECT_EQ(said<Drain>().size(), 1U);
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 0U) << "what runs is not stopped";
  granted(other_lease());
  EXPECT_EQ(said<Done>().at(0).outcome.kind, OutcomeKind::stopped);
  hears(Ack{other_lease(), 1});
  EXPECT_FALSE(agent_.is_drained());
  ends(OutcomeKind::completed);
  hears(Ack{lease(), 1});
  EXPECT_TRUE(agent_.is_drained());
}

TEST_F(Desk, AfterItsLastWorkStillCheckpointsWhenItIsToldToDrain) {
  start();
  granted();
  step(LastWork{});
  step(DrainRequested{});
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 1U) << "it is asked to stop";
}

TEST_F(OneRound, StillCheckpointsWhenItIsToldToDrain) {
  start();
  granted_on(0, lease());
  granted_on(1, other_lease());
  step(DrainRequested{});
  EXPECT_EQ(count<SendTrainer>(out_.trainers), 2U) << "both are asked to stop";
}

}  // namespace
}  // namespace ranktide
