#include "common/sweep/json_schema.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "common/sweep/settings.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::string text_in(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> examples(const std::string& kind) {
  const fs::directory_iterator folder(fs::path(RANKTIDE_SOURCE_DIR) / "tests/common/sweep/examples" / kind);
  std::vector<fs::path> out;
  for (const auto& entry : folder) out.push_back(entry.path());
  return out;
}

TEST(SweepJsonSchema, TheFileThatEditorsReadHoldsIt) {
  const std::string wanted = sweep_json_schema().dump() + "\n";
  EXPECT_EQ(text_in(fs::path(RANKTIDE_SOURCE_DIR) / "docs/sweep.schema.json"), wanted)
      << "write it anew: ranktide help sweep-schema > docs/sweep.schema.json";
}

TEST(SweepJsonSchema, SaysOfEverySettingWhatTheTableSays) {
  const Json definitions = sweep_json_schema().at("definitions");
  for (const Setting& setting : settings()) {
    if (setting.key == "seed") continue;  // `seeds` sets it
    const std::string said = definitions.at(std::string(setting.key)).at("description");
    EXPECT_THAT(said, testing::StartsWith(std::string(setting.doc)));
    EXPECT_THAT(said, testing::HasSubstr("Default: " + std::string(setting.default_text)));
  }
}

// tests/tools/sweep_schema_test.py holds the schema to the same files, by a validator that is not ours.
TEST(SweepJsonSchema, TheReaderTakesTheGoodExamplesAndRefusesTheBadOnes) {
  const auto good = examples("good"), bad = examples("bad");
  ASSERT_GE(good.size(), 3U);
  ASSERT_GE(bad.size(), 18U);
  for (const fs::path& file : good) EXPECT_EQ(error_in(text_in(file)), "no error") << file;
  for (const fs::path& file : bad) EXPECT_NE(error_in(text_in(file)), "no error") << file;
}

}  // namespace
}  // namespace ranktide
