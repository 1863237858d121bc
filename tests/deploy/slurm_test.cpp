// The printed batch script in a real Slurm on this machine: submitted, warned, requeued, preempted, resumed.

#include <gtest/gtest.h>

#include "tests/deploy/tools.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::deploy {
namespace {

TEST(Slurm, AWorkerThatIsWarnedPreemptedAndRequeuedGoesOnFromItsCheckpoints) {
  const e2e::TinyWorld world;
  world.write_sweep(e2e::TinyWorld::sweep_text(1500, 1));
  const std::string line = "timeout 400 tests/deploy/slurm_try.sh " + e2e::ranktide_program().string() + " " +
                           world.sweep().string() + " tiny";
  const e2e::Ended ended = e2e::run({"/bin/sh", "-c", "cd " + source("") + " && " + line},
                                    world.folder() / "try", std::chrono::seconds{420});
  if (ended.exit_code == 77) GTEST_SKIP() << ended.out;
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
}

}  // namespace
}  // namespace ranktide::deploy
