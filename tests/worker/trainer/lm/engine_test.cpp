#include "worker/trainer/lm/engine.h"

#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace ranktide {
namespace {

// Two OpenMP runtimes in one process are two thread pools: wrong thread counts and a threefold slowdown.
TEST(Engine, MapsOneOpenMpRuntime) {
  start_engine(1);
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> runtimes;
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path != std::string::npos &&
        (line.find("libgomp") != std::string::npos || line.find("libiomp") != std::string::npos))
      runtimes.insert(line.substr(path));
  }
  EXPECT_EQ(runtimes.size(), 1U);
}

TEST(Engine, SaysWhatResultsDependOn) {
  const Engine engine = start_engine(1);
  EXPECT_EQ(engine.threads, 1);
  EXPECT_FALSE(engine.isa.empty());
  EXPECT_EQ(engine.numerics_version, kNumericsVersion);
}

}  // namespace
}  // namespace ranktide
