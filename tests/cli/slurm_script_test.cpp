#include "cli/slurm_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/program.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

SlurmJob small_job() {
  return {.program = "/opt/ranktide/bin/ranktide", .folder = "/shared/ranktide/slurm"};
}

std::string refusal(const SlurmJob& job) {
  try {
    slurm_script(job);
  } catch (const SlurmJobError& e) {
    return e.what();
  }
  return "taken";
}

TEST(SlurmScript, WarnsTheWorkerRequeuesAndAppends) {
  const std::string script = slurm_script(small_job());
  EXPECT_THAT(script, HasSubstr("#SBATCH --requeue\n#SBATCH --open-mode=append\n"));
  EXPECT_THAT(script, HasSubstr("#SBATCH --signal=B:USR2@120\n"));
  EXPECT_THAT(script, HasSubstr("\nexec srun --cpus-per-task=4 /opt/ranktide/bin/ranktide worker --slurm "));
}

TEST(SlurmScript, LeavesToTheClusterWhatWasNotSaid) {
  const std::string script = slurm_script(small_job());
  for (const char* option : {"--partition", "--account", "--mem", "--gpus-per-node", "--array"})
    EXPECT_THAT(script, Not(HasSubstr(option)));
}

TEST(SlurmScript, AsksForAnArrayOfGpuWorkers) {
  SlurmJob job = small_job();
  job.array = "0-15%4";
  job.gpus = 2;
  job.sbatch = {"--qos=low"};
  const std::string script = slurm_script(job);
  EXPECT_THAT(script, HasSubstr("#SBATCH --array=0-15%4\n"));
  EXPECT_THAT(script, HasSubstr("#SBATCH --gpus-per-node=2\n"));
  EXPECT_THAT(script, HasSubstr("#SBATCH --output=ranktide-worker-%A_%a.log\n"));
  EXPECT_THAT(script, HasSubstr("#SBATCH --qos=low\n"));
}

// The file in the tree is for those who read before they install; it is what the command prints.
TEST(SlurmScript, IsTheOneInTheTree) {
  SlurmJob job = small_job();
  job.array = "0-15%4";
  job.gpus = 1;
  job.time = "12:00:00";
  job.worker = {"--join", "/shared/ranktide/join-line.txt"};
  EXPECT_EQ(slurm_script(job), e2e::read_text(std::string(RANKTIDE_SOURCE_DIR) + "/deploy/slurm/workers.sh"));
}

TEST(SlurmScript, GivesTheWorkerItsWordsUnchanged) {
  const TemporaryFolder folder;
  const std::filesystem::path here = folder.path();
  SlurmJob job = small_job();
  job.folder = (here / "the worker's folders").string();
  job.worker = {"--labels", "two words", "it's $HOME"};
  e2e::write_text(here / "srun", "#!/bin/sh\nfor word; do echo \"[$word]\"; done\n");
  e2e::write_text(here / "job", slurm_script(job));
  const std::string command =
      "cd " + here.string() + " && chmod +x srun && PATH=$PWD:$PATH SLURM_JOB_ID=7 sh job";
  const e2e::Ended ended = e2e::run({"/bin/sh", "-c", command}, here / "output");
  EXPECT_EQ(ended.out,
            "[--cpus-per-task=4]\n[/opt/ranktide/bin/ranktide]\n[worker]\n[--slurm]\n[--data-dir]\n[" +
                job.folder + "/7]\n[--name]\n[slurm-7]\n[--labels]\n[two words]\n[it's $HOME]\n")
      << ended.err;
}

TEST(SlurmScript, RefusesWhatALineCannotCarry) {
  SlurmJob job = small_job();
  job.partition = "gpu\n#SBATCH --exclusive";
  EXPECT_THAT(refusal(job), HasSubstr("--partition"));
  job = small_job();
  job.name = "two words";
  EXPECT_THAT(refusal(job), HasSubstr("\"two words\" has a blank"));
}

}  // namespace
}  // namespace ranktide::cli
