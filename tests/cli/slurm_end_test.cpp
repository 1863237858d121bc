#include "cli/slurm_end.h"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The environment of a job, and a squeue of our own that comes first in PATH.
class SlurmEnd : public testing::Test {
 protected:
  SlurmEnd() {
    ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
    ::setenv("TZ", "UTC-3", 1);  // squeue speaks local time; this one is three hours ahead
    ::tzset();
  }
  ~SlurmEnd() override {
    ::setenv("PATH", path_.c_str(), 1);
    for (const char* name : {"SLURM_JOB_END_TIME", "SLURM_JOB_ID", "TZ"}) ::unsetenv(name);
    ::tzset();
  }
  void squeue_says(const std::string& text) const {
    const fs::path program = folder_.path() / "squeue";
    std::ofstream(program) << "#!/bin/sh\n[ \"$*\" = '--noheader --jobs=41 --format=%e' ] || exit 1\n"
                           << "[ \"$SLURM_TIME_FORMAT\" = standard ] && echo '" << text << "'\n";
    fs::permissions(program, fs::perms::owner_all);
  }

  const std::string path_ = std::getenv("PATH");
  TemporaryFolder folder_;
};

TEST_F(SlurmEnd, IsWhatTheJobsEnvironmentSays) {
  ::setenv("SLURM_JOB_END_TIME", "1795860000", 1);
  ::setenv("SLURM_JOB_ID", "41", 1);
  squeue_says("2020-01-01T00:00:00");
  EXPECT_EQ(slurm_job_end(), 1795860000);
}

TEST_F(SlurmEnd, IsAskedOfSqueueWhereTheEnvironmentDoesNotSay) {
  ::setenv("SLURM_JOB_ID", "41", 1);
  squeue_says("2026-11-28T15:00:00");
  EXPECT_EQ(slurm_job_end(), 1795867200) << "noon in UTC";
}

TEST_F(SlurmEnd, OfAJobWithoutALimitOrASlurmThatDoesNotAnswerIsNotKnown) {
  EXPECT_FALSE(slurm_job_end()) << "no job";
  ::setenv("SLURM_JOB_ID", "41", 1);
  squeue_says("N/A");
  EXPECT_FALSE(slurm_job_end());
  fs::remove(folder_.path() / "squeue");
  EXPECT_FALSE(slurm_job_end());
  ::setenv("SLURM_JOB_ID", "41; touch here", 1);
  EXPECT_FALSE(slurm_job_end());
}

TEST_F(SlurmEnd, LeavesMinutesForCheckpointsAndOfAShortJobAShare) {
  const Instant now{1'000'000};
  const WorkerTime day = slurm_worker_time(now, 24h);
  EXPECT_EQ(day.last_work, now + 24h - 5min);
  EXPECT_EQ(day.drain, now + 24h - 2min);
  const WorkerTime minute = slurm_worker_time(now, 60s);
  EXPECT_EQ(minute.last_work, now + 45s);
  EXPECT_EQ(minute.drain, now + 54s);
}

}  // namespace
}  // namespace ranktide::cli
