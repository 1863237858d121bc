// Coordinator and worker as services in one process, real sockets, a real store, real children.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/worker_keys.h"
#include "tests/worker/daemon/fake_trainer.h"
#include "tests/worker/daemon/service_world.h"
#include "worker/daemon/work_folder.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Service : public testing::Test, protected ServiceWorld {
 protected:
  void start(int slots = 2, int step_ms = 1) {
    start_coordinator();
    start_worker(slots, step_ms);
  }
  std::string last_attempt(const std::string& column) {
    return select("SELECT " + column + " FROM attempt ORDER BY started DESC, attempt DESC").at(0);
  }
};

TEST_F(Service, TrainsASweepToItsEndOverTheWire) {
  start();
  submit(sweep_of({.seeds = {0, 1, 2, 3}}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("stage WHERE state='completed'"), 4);
  EXPECT_EQ(count("point"), 4 * 6);
  EXPECT_EQ(count("eval WHERE state='finished'"), count("eval"));
}

TEST_F(Service, KeepsEveryPointAsTheTrainerSaidIt) {
  start(1);
  submit(sweep_of({.seeds = {3}, .steps = 4}));
  ASSERT_TRUE(wait_until_over());
  const auto losses = select("SELECT value FROM point ORDER BY step");
  ASSERT_EQ(losses.size(), 4U);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(std::stod(losses[i]), fake_loss(3, static_cast<Step>(i) + 1), 1e-5);
}

TEST_F(Service, RetriesACrashAndFinishes) {
  start(1);
  submit(sweep_of({.seeds = {kCrashesOnce}}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_THAT(select("SELECT end_reason FROM attempt WHERE unit=(SELECT id FROM stage) ORDER BY attempt"),
              ElementsAre("failed", "completed"));
}

TEST_F(Service, GivesUpOnACrashWithItsSignalAndLastLines) {
  start(1);
  submit(sweep_of({.seeds = {kCrashes}, .run = "retry: {own: 1}"}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_THAT(select("SELECT state FROM stage"), ElementsAre("failed"));
  EXPECT_THAT(select("SELECT message FROM attempt WHERE end_reason='failed'").at(0),
              HasSubstr("Segmentation fault"));
  EXPECT_THAT(select("SELECT log_tail FROM attempt WHERE end_reason='failed'").at(0),
              HasSubstr("the last line before seed 1000"));
}

TEST_F(Service, KnowsOutOfMemoryFromAFailure) {
  start(1);
  submit(sweep_of({.seeds = {kRunsOutOfMemory}, .run = "retry: {own: 1}"}));
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE end_reason='out_of_memory'") > 0; }));
}

TEST_F(Service, ReportsADivergenceAsAResultWithItsStep) {
  start(1);
  submit(sweep_of({.seeds = {kDiverges}}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_THAT(select("SELECT state || ' at ' || step FROM stage"), ElementsAre("diverged at 1"));
}

TEST_F(Service, WritesALogPerAttempt) {
  start(1);
  submit(sweep_of({.seeds = {kExitsWithThree}, .run = "retry: {own: 1}"}));
  ASSERT_TRUE(wait_until_over());
  const auto unit = select("SELECT id FROM stage").at(0);
  std::ifstream log(WorkFolder::logs_of(work()) / unit / "1.log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "the last line before seed 1002");
}

TEST_F(Service, DrainCheckpointsGivesTheWorkBackAndEnds) {
  start(1, 20);
  submit(sweep_of({.seeds = {1}, .steps = 400}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  worker->drain();
  worker->wait();
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE end_reason='returned'") == 1; }));
  const int64_t done = count("point");
  EXPECT_LT(done, 400);
  start_worker(1, 1);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 400);
  EXPECT_GT(std::stoll(select("SELECT checkpoint_step FROM stage").at(0)), 0);
}

TEST_F(Service, AWorkerWhoseTrainersCannotStartGivesItsWorkBackAndEnds) {
  trainers_can_start = false;
  start(2);
  submit(sweep_of({.seeds = {0, 1, 2, 3}, .run = "retry: {own: 1}"}));
  ASSERT_TRUE(eventually([&] { return worker->has_ended(); }, std::chrono::seconds(60)));
  EXPECT_EQ(worker->end(), WorkerEnd::unfit);
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE ended IS NULL") == 0; }));
  EXPECT_GT(count("attempt WHERE end_reason='returned'"), 0);
  EXPECT_EQ(count("attempt WHERE end_reason='returned'"), count("attempt"));
  worker.reset();
  trainers_can_start = true;
  start_worker(2);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("stage WHERE state='completed'"), 4);
}

// Missing, not to be run, and no program: nothing of that is the trial's fault, nor over a moment later.
TEST_F(Service, ATrainerThatIsNoProgramFailsNoTrial) {
  start_coordinator();
  submit(sweep_of({.seeds = {0}, .run = "retry: {own: 0}"}));
  const std::filesystem::path file = work().parent_path() / "trainer";
  for (const auto mode : {0, 0600, 0700}) {
    std::filesystem::remove(file);
    if (mode != 0)
      std::ofstream(file) << "\x7f"
                          << "ELF of another machine";
    if (mode != 0) std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
    trainer = file;
    start_worker(1);
    ASSERT_TRUE(eventually([&] { return worker->has_ended(); }, std::chrono::seconds(60)));
    EXPECT_EQ(worker->end(), WorkerEnd::unfit) << mode;
    worker.reset();
  }
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE ended IS NULL") == 0; }));
  EXPECT_EQ(count("attempt WHERE end_reason='returned'"), count("attempt"));
  EXPECT_EQ(count("stage WHERE state='failed'"), 0);
  trainer = RANKTIDE_FAKE_TRAINER;
  start_worker(1);
  EXPECT_TRUE(wait_until_over());
}

TEST_F(Service, OfTwoProcessesWithOneKeyTheReplacedOneEndsAndTheOtherGoesOn) {
  start_coordinator();
  start_worker(1);
  ASSERT_TRUE(eventually([&] { return count("worker WHERE state='joined'") == 1; }));
  const auto first = std::move(worker);
  const std::filesystem::path original = work(), copy = original.parent_path() / "copy";
  std::filesystem::copy(original, copy, std::filesystem::copy_options::recursive);
  work_folder = copy;
  start_worker(1);
  ASSERT_TRUE(eventually([&] { return first->has_ended(); }, std::chrono::seconds(60)));
  EXPECT_EQ(first->end(), WorkerEnd::replaced);
  submit(sweep_of({.seeds = {0, 1}}));
  EXPECT_TRUE(wait_until_over());
  EXPECT_FALSE(worker->has_ended());
  EXPECT_EQ(count("event WHERE kind='WorkerJoined'"), 2);
}

TEST_F(Service, TheMemoryOfAWorkersGpusIsSeenAtTheCoordinator) {
  ::setenv("FAKE_NVML", "two", 1);
  gpu = "GPU-aaaa1111-1111";
  start(1);
  ASSERT_TRUE(eventually([&] {
    const auto workers = coordinator->live().workers;
    return !workers.empty() && workers[0].pulse && !workers[0].pulse->devices.empty();
  }));
  EXPECT_EQ(coordinator->live().workers[0].pulse->devices[0].memory_used_bytes, int64_t{30} << 30);
}

TEST_F(Service, CancelStopsWhatRuns) {
  start(1, 20);
  submit(sweep_of({.seeds = {1}, .steps = 100'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 0; }));
  EXPECT_TRUE(std::holds_alternative<Controlled>(coordinator->cancel("c1", "tiny")));
  EXPECT_TRUE(wait_until_over());
  EXPECT_TRUE(eventually([&] { return coordinator->live().progress.empty(); }));
}

TEST_F(Service, ForgetsWhatResumesWouldNeedOnceAResultIsDurable) {
  start(1, 20);
  submit(sweep_of({.seeds = {1}, .steps = 400}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  worker->drain();
  worker->wait();
  const auto kept = work() / "checkpoints" / select("SELECT id FROM stage").at(0);
  EXPECT_TRUE(std::filesystem::exists(kept / "step"));
  start_worker(1, 1);
  ASSERT_TRUE(wait_until_over());
  worker->drain();
  worker->wait();
  EXPECT_FALSE(std::filesystem::exists(kept));
}

TEST_F(Service, ForgetsACancelledStageWhenItsTrainerHasStopped) {
  start(1, 20);
  submit(sweep_of({.seeds = {1}, .steps = 100'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 0; }));
  EXPECT_TRUE(std::holds_alternative<Controlled>(coordinator->cancel("c1", "tiny")));
  ASSERT_TRUE(wait_until_over());
  worker->drain();
  worker->wait();
  EXPECT_FALSE(std::filesystem::exists(work() / "checkpoints" / select("SELECT id FROM stage").at(0)));
}

TEST_F(Service, TheSameSubmitTwiceIsOneSweep) {
  start();
  EXPECT_EQ(submit(sweep_of({.seeds = {1}})), submit(sweep_of({.seeds = {1}})));
  EXPECT_TRUE(std::holds_alternative<Rejected>(
      coordinator->submit({.request_id = "r1", .spec = sweep_of({.seeds = {2}})})));
}

TEST_F(Service, AWorkerThatIsNotEnrolledGetsNothing) {
  start_coordinator();
  revoke_worker_key(coordinator->worker_keys(), worker_public_key(work() / "keys"));
  start_worker();
  submit(sweep_of({.seeds = {1}}));
  EXPECT_TRUE(eventually([&] { return coordinator->live().link.handshakes_refused > 0; }));
  EXPECT_EQ(count("attempt"), 0);
}

TEST_F(Service, GoesOnWhereACoordinatorOfTheSameFolderLeftOff) {
  const std::string endpoint = free_endpoint();
  start_coordinator(endpoint);
  start_worker(1, 5);
  SweepSpec spec = sweep_of({.seeds = {1, 2}, .steps = 200});
  spec.run.lease_ms = 30'000;  // attempts are counted: a slow machine must not lose one
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("point") > 10; }));
  coordinator->stop();
  coordinator.reset();
  start_coordinator(endpoint);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 400);
  EXPECT_THAT(select("SELECT max(attempt) FROM attempt WHERE unit IN (SELECT id FROM stage)"),
              ElementsAre("1"));
  EXPECT_EQ(coordinator->live().epoch, 2U);
}

TEST_F(Service, TwoWorkersCannotShareAFolder) {
  start();
  EXPECT_THROW(start_worker(), WorkFolderError);
}

TEST_F(Service, AnswersWhileItStops) {
  start_coordinator();
  coordinator->stop();
  EXPECT_TRUE(std::holds_alternative<Rejected>(
      coordinator->submit({.request_id = "r1", .spec = sweep_of({.seeds = {1}})})));
}

}  // namespace
}  // namespace ranktide
