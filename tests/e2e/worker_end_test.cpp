// When a worker ends, and what it does before it does, as real processes.

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/net/clock.h"
#include "tests/e2e/join_world.h"
#include "tests/e2e/notify_socket.h"
#include "tests/e2e/program.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using e2e::Ended;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class EndsOfWorkers : public JoinWorld {};

// The state stands behind the program's name, which is in brackets. A signal is only on its way at first.
bool is_stopped(pid_t pid) {
  const std::string stat = e2e::read_text("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat.at(name_end + 2) == 'T';
}

TEST_F(EndsOfWorkers, AWorkerThatNeverConnectedEndsAtOnce) {
  const auto n1 =
      worker_with("n1", {"--coordinator", free_endpoint(), "--server-key", make_key_pair().public_key});
  ASSERT_TRUE(n1->says("works in", 120s));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(12s).exit_code, 0) << "there is no ack to wait for, as a drain does for 15 s";
}

TEST_F(EndsOfWorkers, AWorkerThatNeverConnectedSaysThatOnceAndWhatToDo) {
  const auto n1 =
      worker_with("n1", {"--coordinator", free_endpoint(), "--server-key", make_key_pair().public_key});
  EXPECT_TRUE(n1->says("no connection to the coordinator yet", 120s));
  EXPECT_TRUE(n1->says("If the coordinator has moved, start this worker once with --join", 1s));
  std::this_thread::sleep_for(16s);  // another fresh socket later
  n1->signal(SIGTERM);
  EXPECT_EQ(times("no connection to the coordinator yet", n1->wait(60s).err), 1);
}

TEST_F(EndsOfWorkers, AWorkerSaysWhenItsConnectionComesAndGoesAndNotEachTry) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  coordinator->stop();
  coordinator.reset();
  ASSERT_TRUE(n1->says("the connection to the coordinator is lost", 60s));
  std::this_thread::sleep_for(3s);  // several tries
  start_coordinator(endpoint_);
  const fs::path said = home("n1").string() + "-output/err";
  EXPECT_TRUE(eventually([&] { return times("connected to the coordinator at", e2e::read_text(said)) == 2; }));
  EXPECT_EQ(times("the connection to the coordinator is lost", e2e::read_text(said)), 1);
}

TEST_F(EndsOfWorkers, ADrainOfNothingWithoutACoordinatorSaysThatNothingIsLeft) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  std::this_thread::sleep_for(1s);  // its welcome leaves after the commit that shows it
  coordinator->stop();
  coordinator.reset();
  ASSERT_TRUE(n1->says("the connection to the coordinator is lost", 60s)) << "before it, its goodbye counts";
  n1->signal(SIGTERM);
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("the coordinator was not heard; nothing is left to send"));
  EXPECT_THAT(ended.err, testing::Not(HasSubstr("spooled")));
}

TEST_F(EndsOfWorkers, AWorkerWhoseTrainerCannotStartEndsAsMisconfiguredWithItsWordsAndFailsNothing) {
  const fs::path script = folder_of_all_.path() / "no-device";
  e2e::write_text(script, "#!/bin/sh\necho 'no such device' >&2\nexit 78\n");
  fs::permissions(script, fs::perms::owner_all);
  submit(sweep_of({.seeds = {1}, .run = "retry: {own: 1}"}));
  const Ended ended =
      e2e::run({RANKTIDE_PROGRAM, "worker", "--data-dir", home("n1").string(), "--name", "n1", "--slots", "1",
                "--gpus", "none", "--trainer", script.string(), "--join", line()},
               folder_of_all_.path() / "output-n1");
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("no such device"));
  EXPECT_EQ(count("attempt WHERE end_reason='failed'"), 0);
  const auto n2 = worker_with("n2", {"--join", line()});
  EXPECT_TRUE(wait_until_over());
  EXPECT_EQ(count("stage WHERE state='completed'"), 1);
}

TEST_F(EndsOfWorkers, AWorkerWhoseFolderWasCopiedEndsAsMisconfiguredWhenTheCopyIsAtWork) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  fs::create_directories(home("copy"));
  for (const char* part : {"keys", "joined"})
    fs::copy(home("n1") / part, home("copy") / part, fs::copy_options::recursive);
  const auto copy = worker_in(home("copy"), "n1", {});
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("another process with this worker's key has taken its place"));
  EXPECT_THAT(ended.err, HasSubstr(home("n1").string()));
  submit(sweep_of({.seeds = {1}}));
  EXPECT_TRUE(wait_until_over()) << "the copy goes on";
}

TEST_F(EndsOfWorkers, AWorkerTellsItsServiceManagerHowItStandsFromItsOwnLoop) {
  const e2e::NotifySocket manager(folder_of_all_.path() / "notify");
  const auto n1 = worker_with("n1", {"--join", line()});
  std::string said;
  const auto hears = [&](const std::string& word) {
    return eventually([&] { return (said += manager.said()).find(word) != std::string::npos; });
  };
  EXPECT_TRUE(hears("READY=1"));
  EXPECT_TRUE(hears("WATCHDOG=1"));
  // A worker that stands still is missed: no thread of its own speaks for the loop.
  n1->signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return is_stopped(n1->pid()); }));
  said = manager.said();
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(manager.said(), "");
  n1->signal(SIGCONT);
  said.clear();
  EXPECT_TRUE(hears("WATCHDOG=1"));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  said += manager.said();
  EXPECT_TRUE(said.ends_with("STOPPING=1 ")) << said;
}

TEST_F(EndsOfWorkers, AWorkerInASlurmJobGivesItsWorkBackBeforeTheJobsEnd) {
  ::setenv("SLURM_JOB_END_TIME", std::to_string(wall_clock_ms() / 1000 + 60).c_str(), 1);
  const auto n1 = worker_with("n1", {"--join", line(), "--slurm"}, 20);
  ::unsetenv("SLURM_JOB_END_TIME");
  submit(sweep_of({.seeds = {1}, .steps = 100'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("this Slurm job ends in"));
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE end_reason='returned'") == 1; }));
  EXPECT_GT(std::stoll(select("SELECT checkpoint_step FROM stage").at(0)), 0);
}

TEST_F(EndsOfWorkers, ASignalDrainsAndASecondOneEndsAtOnce) {
  const auto n1 = worker_with("n1", {"--join", line()}, 20);
  submit(sweep_of({.seeds = {1}, .steps = 4'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE end_reason='returned'") == 1; }));
  const auto slow = worker_with("n1", {}, 60'000);  // a step is longer than the test's patience
  ASSERT_TRUE(eventually([&] { return logs_say("n1", "goes on after step"); }))
      << "before it, all goes back at once";
  slow->signal(SIGINT);
  std::this_thread::sleep_for(1s);
  slow->signal(SIGINT);
  EXPECT_EQ(slow->wait(120s).exit_code, 130);
}

TEST_F(EndsOfWorkers, GoesOnTrainingWithoutItsCoordinatorAndDeliversWhenItIsBack) {
  const auto n1 = worker_with("n1", {"--join", line()}, 10);
  SweepSpec spec = sweep_of({.seeds = {1}, .steps = 300});
  spec.run.lease_ms = 60'000;  // it must find its way back within one
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  coordinator->stop();
  coordinator.reset();
  EXPECT_LT(count("point"), 300);
  std::this_thread::sleep_for(5s);  // by now it has trained to its end
  start_coordinator(endpoint_);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 300);
  EXPECT_THAT(select("SELECT max(attempt) FROM attempt WHERE unit IN (SELECT id FROM stage)"),
              ElementsAre("1"));
}

TEST_F(EndsOfWorkers, ADrainWithoutACoordinatorKeepsWhatIsSpooledAndEnds) {
  const auto n1 = worker_with("n1", {"--join", line()}, 10);
  submit(sweep_of({.seeds = {1}, .steps = 300}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  coordinator->stop();
  coordinator.reset();
  n1->signal(SIGTERM);
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("the next worker in this folder sends it"));
  start_coordinator(endpoint_);
  const auto next = worker_with("n1", {});
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 300);
}

TEST_F(EndsOfWorkers, EndsByItselfAfterOneTrialOrWhenThereIsNothingToDo) {
  submit(sweep_of({.seeds = {1, 2}}));
  ASSERT_EQ(worker_ends("n1", {"--join", line(), "--once"}).exit_code, 0);
  EXPECT_EQ(count("attempt WHERE worker='n1' AND unit IN (SELECT id FROM stage)"), 1);
  EXPECT_EQ(count("attempt WHERE worker='n1'"), 3) << "with the untouched base's evals before it";
  ASSERT_EQ(worker_ends("n2", {"--join", line(), "--max-idle", "20s"}).exit_code, 0);
  EXPECT_TRUE(wait_until_over());
}

TEST_F(EndsOfWorkers, TwoWorkersShareASweepAndAreListed) {
  const std::string both = line(2);
  const auto n1 = worker_with("n1", {"--join", both}, 5);
  const auto n2 = worker_with("n2", {"--join", both}, 5);
  ASSERT_TRUE(joins("n1"));
  ASSERT_TRUE(joins("n2"));
  submit(sweep_of({.seeds = {1, 2, 3, 4, 5, 6}, .steps = 40}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_THAT(select("SELECT DISTINCT worker FROM attempt ORDER BY worker"), ElementsAre("n1", "n2"));
  coordinator.reset();  // this one serves no clients; the file is read where nobody serves it
  const Ended listed = command({"worker", "list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("n1"));
  EXPECT_THAT(listed.out, HasSubstr("n2"));
}

}  // namespace
}  // namespace ranktide
