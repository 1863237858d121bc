// Compares every transcript in tests/scenarios with what the coordinator does. `scenario_test --rewrite` writes
// them anew; the difference is then for reviewers.

#include "tests/sim/scenario.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace ranktide::sim {
namespace {

bool rewrite = false;

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(RANKTIDE_SOURCE_DIR "/tests/scenarios"))
    if (entry.path().extension() == ".txt") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::string read(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, GoesAsItsTranscriptSays) {
  const std::string expected = read(GetParam());
  const std::string happened = play(expected);
  if (rewrite)
    std::ofstream(GetParam()) << happened;
  else
    EXPECT_EQ(happened, expected) << "rewrite it with: scenario_test --rewrite";
}

INSTANTIATE_TEST_SUITE_P(Coordinator, Scenario, testing::ValuesIn(transcripts()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace ranktide::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ranktide::sim::rewrite = argc > 1 && std::string(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}
