// What survives a killed writer and a full disk.
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "common/vocabulary/random.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

// Commits sweeps named by their number until it is killed, and says each number once it is durable.
[[noreturn]] void write_until_killed(const std::filesystem::path& folder, int pipe_end) {
  History history(folder);
  history.begin();
  for (int32_t n = 1;; ++n) {
    history.submit("sweep-" + std::to_string(n));
    history.list({.rank = 4, .seed = static_cast<uint64_t>(n)});
    if (::write(pipe_end, &n, sizeof n) != sizeof n) ::_exit(1);
  }
}

// Returns: the last number that the killed writer said.
int32_t last_said_before_kill(const std::filesystem::path& folder, std::chrono::milliseconds life) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) write_until_killed(folder, ends[1]);
  ::close(ends[1]);
  std::this_thread::sleep_for(life);
  ::kill(child, SIGKILL);
  int32_t last = 0;
  for (int32_t n = 0; ::read(ends[0], &n, sizeof n) == sizeof n;) last = n;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return last;
}

TEST(Durability, WhatWasSaidAfterACommitSurvivesKillNine) {
  SplitMix64 random(3);
  for (int round = 0; round < 6; ++round) {
    TemporaryFolder folder;
    const int32_t said =
        last_said_before_kill(folder.path(), std::chrono::milliseconds(60 + random.below(240)));
    if (!std::filesystem::exists(database_file(folder.path()))) continue;  // killed before it began
    Store store(folder.path(), Store::Open::create);
    const Reader reader(folder.path());
    const auto count = [&](const std::string& sql) {
      return std::get<int64_t>(reader.select(sql).rows.at(0).at(0));
    };
    EXPECT_GE(count("SELECT count(*) FROM trial"), said);
    EXPECT_EQ(count("SELECT count(*) FROM record WHERE kind='TrialListed'"),
              count("SELECT count(*) FROM sweep_trial"));
    EXPECT_EQ(count("SELECT count(*) FROM record WHERE kind='SweepSubmitted'"),
              count("SELECT count(*) FROM revision"));
  }
}

// A file system of a few MiB of its own, where the test may mount one.
class TinyDisk {
 public:
  explicit TinyDisk(const std::filesystem::path& at) : at_(at) {
    std::filesystem::create_directories(at);
    is_mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=6m") == 0;
  }
  ~TinyDisk() {
    if (is_mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }

 private:
  std::filesystem::path at_;
  bool is_mounted_ = false;
};

TEST(Durability, AFullDiskEndsTheWriterAndLosesNothing) {
  TemporaryFolder folder;
  const auto at = folder.path() / "disk";
  const TinyDisk disk(at);
  if (!disk.is_mounted()) GTEST_SKIP() << "this user may not mount a small file system";
  int64_t committed = 0;
  {
    History history(at);
    history.begin();
    history.submit("quick");
    try {
      for (uint64_t seed = 0;; ++seed) {
        history.list({.rank = 4, .seed = seed});
        ++committed;
      }
    } catch (const StoreFull& error) {
      EXPECT_THAT(error.what(), HasSubstr("free space on the disk that holds " + at.string()));
    }
    const auto kept = history.reader().select("SELECT count(*) FROM trial");  // reads still work
    EXPECT_EQ(kept.rows.at(0).at(0), Value(committed));
    EXPECT_FALSE(std::filesystem::exists(at / "reserve.bin"));
    EXPECT_EQ(history.reader().select("SELECT count(*) FROM v_event WHERE kind='DiskFull'").rows.at(0).at(0),
              Value(int64_t{1}));
  }
  int64_t listed = 0;
  Store(at, Store::Open::existing).replay([&](const Record& r) {
    listed += std::holds_alternative<TrialListed>(r);
  });
  EXPECT_EQ(listed, committed);
}

}  // namespace
}  // namespace ranktide
