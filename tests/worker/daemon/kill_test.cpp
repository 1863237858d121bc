// What kill -9 must not cost: every point once, every trial finished once, whoever died.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/worker/daemon/service_world.h"

namespace ranktide {
namespace {

constexpr int kSteps = 120;

class Kill : public testing::Test, protected ServiceWorld {
 protected:
  // Puts the sweep into the folder before any process serves it.
  void prepare(Duration lease = Duration(6'000)) {
    start_coordinator();
    SweepSpec spec = sweep_of({.seeds = {1, 2}, .steps = kSteps});
    spec.run.lease_ms = lease.count();
    submit(spec);
    coordinator->stop();
    coordinator.reset();
  }
  int64_t points() const { return count("point"); }
  bool is_finished() const { return count("stage WHERE state='completed'") == 2; }
  void expect_every_point_once() const {
    EXPECT_EQ(points(), 2 * kSteps);
    EXPECT_EQ(count("event WHERE kind LIKE '%divergent%'"), 0);
  }
};

TEST_F(Kill, OfAWorkerCostsItsAttemptOnly) {
  prepare();
  const std::string endpoint = free_endpoint();
  const auto serving = coordinator_process(endpoint);
  auto dying = worker_process(endpoint, 10);
  ASSERT_TRUE(eventually([&] { return points() > 20; }));
  dying->kill_9();
  const auto next = worker_process(endpoint, 1);
  ASSERT_TRUE(eventually([&] { return is_finished(); }));
  expect_every_point_once();
}

TEST_F(Kill, OfACoordinatorCostsNothing) {
  prepare(Duration(30'000));  // that the worker comes back within it does not hang on the machine's speed
  const std::string endpoint = free_endpoint();
  auto dying = coordinator_process(endpoint);
  const auto working = worker_process(endpoint, 10);
  ASSERT_TRUE(eventually([&] { return points() > 20; }));
  dying->kill_9();
  const auto next = coordinator_process(endpoint);
  ASSERT_TRUE(eventually([&] { return is_finished(); }));
  expect_every_point_once();
  EXPECT_EQ(select("SELECT max(attempt) FROM attempt WHERE unit IN (SELECT id FROM stage)").at(0), "1");
}

// The seams of the turn: before and after the commit, and between messages and replies.
class KillAtSeam : public Kill, public testing::WithParamInterface<const char*> {};

TEST_P(KillAtSeam, LosesNothingThatWasAcked) {
  prepare();
  const std::string endpoint = free_endpoint();
  const auto dying = coordinator_process(endpoint, std::string(GetParam()) + ":8");
  const auto working = worker_process(endpoint, 5);
  ASSERT_TRUE(eventually([&] { return dying->has_ended(); }));
  const auto next = coordinator_process(endpoint);
  ASSERT_TRUE(eventually([&] { return is_finished(); }));
  expect_every_point_once();
}

INSTANTIATE_TEST_SUITE_P(Seams, KillAtSeam, testing::Values("before_commit", "after_commit", "after_send"));

TEST_F(Kill, OfATrainerIsRetriedByTheSameWorker) {
  start_coordinator();
  start_worker(1, 50);
  submit(sweep_of({.seeds = {1}, .steps = kSteps}));
  ASSERT_TRUE(eventually([&] { return points() > 3; }));
  std::vector<pid_t> killed;  // the trainer is the only child of this process
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t child = 0; list >> child;) killed.push_back(child);
  }
  ASSERT_EQ(killed.size(), 1U);
  ::kill(killed[0], SIGKILL);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(points(), kSteps);
  EXPECT_EQ(select("SELECT message FROM attempt WHERE end_reason='failed'").at(0),
            "the trainer ended: killed by signal 9 (Killed)");
}

TEST_F(Kill, TermOfBothLeavesACleanFolder) {
  prepare();
  const std::string endpoint = free_endpoint();
  const auto serving = coordinator_process(endpoint);
  const auto working = worker_process(endpoint, 10);
  ASSERT_TRUE(eventually([&] { return points() > 5; }));
  working->terminate();
  ASSERT_TRUE(eventually([&] { return working->has_ended(); }));
  serving->terminate();
  ASSERT_TRUE(eventually([&] { return serving->has_ended(); }));
  EXPECT_THAT(select("SELECT unit || '/' || attempt FROM attempt WHERE ended IS NULL"), testing::IsEmpty())
      << testing::PrintToString(select("SELECT kind || body FROM record ORDER BY seq DESC LIMIT 6"));
}

}  // namespace
}  // namespace ranktide
