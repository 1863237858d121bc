// Each file of errors/ with the messages that it gets, whole: NAME.yaml and beside it NAME.txt. To write them
// anew after a message was changed on purpose: RANKTIDE_WRITE_GOLDENS=1 sweep_test
// --gtest_filter='SweepErrors.*', and read the difference.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// What `plan` says of the file before it reads any input: its errors, else what deserves a warning.
std::string said_of(const fs::path& file) {
  try {
    const Grid grid(parse_sweep(bytes_of(file), file.filename().string(), "/sweeps"));
    std::string out;
    for (const auto& warning : warnings_of(grid, grid.counts())) out += warning + "\n";
    return out.empty() ? "nothing is wrong\n" : out;
  } catch (const SpecError& e) {
    return std::string(e.what()) + "\n";
  }
}

TEST(SweepErrors, AreTheMessagesOnFile) {
  const bool writes = std::getenv("RANKTIDE_WRITE_GOLDENS") != nullptr;
  size_t files = 0;
  for (const auto& entry :
       fs::directory_iterator(fs::path(RANKTIDE_SOURCE_DIR) / "tests/common/sweep/errors")) {
    fs::path file = entry.path();
    if (file.extension() != ".yaml") continue;
    ++files;
    const std::string said = said_of(file);
    fs::path golden = file;
    golden.replace_extension(".txt");
    if (writes)
      std::ofstream(golden, std::ios::binary) << said;
    else
      EXPECT_EQ(said, bytes_of(golden)) << file;
  }
  EXPECT_GE(files, 40U);
}

// 10 ms on a core of its own, twenty times that under sanitizers; the least of five, so that a busy machine
// does not decide.
TEST(SweepErrors, AGridOfTenToTheEighteenIsRefusedInMilliseconds) {
  const std::string text =
      bytes_of(fs::path(RANKTIDE_SOURCE_DIR) / "tests/common/sweep/errors/too_many_trials.yaml");
  double least_ms = 1e9;
  for (int time = 0; time < 5; ++time) {
    const std::clock_t start = std::clock();
    EXPECT_NE(error_in(text).find("the grid has 1,000,000,000,000,000,000 trials"), std::string::npos);
    least_ms = std::min(least_ms, 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  EXPECT_LT(least_ms, 200);
  RecordProperty("cpu_ms", std::to_string(least_ms));
}

}  // namespace
}  // namespace ranktide
