// Several processes that share one folder of copies.
#include "worker/daemon/input_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/vocabulary/sha256.h"
#include "tests/temporary_folder.h"
#include "tests/worker/daemon/input_world.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr int kProcesses = 3;

// Returns: how many of the processes that did it at once threw.
int failures_of(const std::function<void(int process)>& act) {
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    try {
      act(i);
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  int failures = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    failures += status == 0 ? 0 : 1;
  }
  return failures;
}

void evict_all(InputCache& cache) {
  try {
    cache.make_room(0);
  } catch (const InputCacheFull&) {  // some is in use
  }
}

class SharedCache : public testing::Test {
 protected:
  static Manifest input(int number) {
    return {.root = "/data/" + std::to_string(number),
            .files = {{.name = "", .content = {sha256_hex(std::to_string(number)), 3}}}};
  }
  void fill(int count) const {
    InputCache cache(folder_.path(), 1 << 20);
    for (int i = 0; i < count; ++i) {
      const auto use = cache.use(input(i));
      write_file(cache.root_of(input(i)), "abc");
    }
  }
  TemporaryFolder folder_;
};

TEST_F(SharedCache, ProcessesThatEvictAtOnceDoNotTripOverEachOther) {
  fill(200);
  EXPECT_EQ(failures_of([&](int) { InputCache(folder_.path(), 0).make_room(0); }), 0);
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(SharedCache, APlaceThatIsTakenUpWhileOthersEvictIsWhole) {
  fill(50);
  const auto act = [&](int process) {
    InputCache cache(folder_.path(), process == 0 ? 1 << 20 : 0);
    for (int i = 0; i < (process == 0 ? 1'000 : 8); ++i) {
      if (process != 0) {
        evict_all(cache);
        continue;
      }
      const auto use = cache.use(input(i % 50));
      const auto filling = cache.fill(input(i % 50), [] {});
      write_file(cache.root_of(input(i % 50)), "abc");
      if (text_of_file(cache.root_of(input(i % 50))) != "abc")
        throw std::runtime_error("it was evicted in use");
    }
  };
  EXPECT_EQ(failures_of(act), 0);
}

TEST_F(SharedCache, WhatAKilledProcessBeganToEvictGoesFirst) {
  fill(1);
  write_file(folder_.path() / (sha256_hex("x") + ".evicted") / "files" / "a", "0123456789");
  InputCache(folder_.path(), 10).make_room(5);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1)
      << "the one that was whole";
}

}  // namespace
}  // namespace ranktide
