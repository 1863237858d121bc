// The first sweep that README shows, whole: real model, real data, every trial, about 10 to 25 minutes on two
// cores. Nightly.

#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::e2e {
namespace {

namespace fs = std::filesystem;

// What sweeps/quickstart.yaml names and ./bootstrap prepares. Returns: the first that is not there, or nothing.
std::string missing_input() {
  const fs::path source = RANKTIDE_SOURCE_DIR;
  for (const char* file :
       {"models/smollm2-135m/model.safetensors", "data/python_train.txt", "data/python_held.txt",
        "data/problems_train.jsonl", "data/problems_held.jsonl", "data/prose_held.txt"})
    if (!fs::exists(source / file)) return (source / file).string();
  return "";
}

class Quickstart : public testing::Test {
 protected:
  Ended ranktide(std::vector<std::string> arguments, std::chrono::seconds limit) const {
    arguments.insert(arguments.begin(), ranktide_program().string());
    arguments.insert(arguments.end(), {"--data-dir", (folder_.path() / "data").string()});
    return run(arguments, folder_.path() / "output", limit);
  }
  Json rows(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"query", "quickstart", "--json"});
    const Ended ended = ranktide(std::move(arguments), std::chrono::seconds(60));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return parse_json(ended.out).at("rows");
  }

  const TemporaryFolder folder_;
};

TEST_F(Quickstart, CompletesAndGainsMoreThanItsIntervalOnEveryCellOfWordProblems) {
  if (const std::string missing = missing_input(); !missing.empty())
    GTEST_SKIP() << missing << " is not there: run ./bootstrap test";
  const Ended ended = ranktide({"run", (fs::path(RANKTIDE_SOURCE_DIR) / "sweeps/quickstart.yaml").string()},
                               std::chrono::minutes(80));
  std::cout << ended.out;
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Json trials = rows({"--trials"});
  EXPECT_EQ(trials.size(), 20U);
  for (const Json& trial : trials) EXPECT_EQ(trial.at("state"), "completed") << trial;
  const Json cells = rows({"--where", "regime = math"});
  int gained = 0;
  for (const Json& cell : cells) {
    if (cell.at("method") == "base") continue;
    ++gained;
    EXPECT_GT(cell.at("gain").get<double>(), cell.at("gain_ci").get<double>()) << cell;
  }
  EXPECT_EQ(gained, 5) << "full, and two ranks on two targets";
}

}  // namespace
}  // namespace ranktide::e2e
