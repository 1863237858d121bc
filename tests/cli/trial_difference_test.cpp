#include "cli/trial_difference.h"

#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

Json trial(double lr, const std::string& path, const std::string& data) {
  return {{"train.lr", lr},
          {"data.train", {{{"path", path}, {"weight", 1.0}}}},
          {"model.path", "/m"},
          {"content", {{"model", "b0"}, {"tokenizer", "t0"}, {"data", data}}}};
}

std::vector<std::string> keys(const Json& a, const Json& b) {
  std::vector<std::string> out;
  for (const SettingPair& pair : differing_settings(a, b)) out.push_back(pair.key);
  return out;
}

using Keys = std::vector<std::string>;

TEST(TrialDifference, AFileThatWasWrittenOverIsNamedBesideAnotherSetting) {
  EXPECT_EQ(keys(trial(1e-3, "/d.jsonl", "d0"), trial(2e-3, "/d.jsonl", "d1")),
            (Keys{"content.data", "train.lr"}));
}

TEST(TrialDifference, AFileOfAnotherNameWithTheSameContentIsNone) {
  EXPECT_EQ(keys(trial(1e-3, "/d.jsonl", "d0"), trial(2e-3, "/e.jsonl", "d0")), Keys{"train.lr"});
}

TEST(TrialDifference, PathsAreNamedWhereTheirContentDiffers) {
  const auto pairs = differing_settings(trial(1, "/d.jsonl", std::string(64, 'a')), trial(1, "/e.jsonl", "d1"));
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(shown_value(pairs[0], pairs[0].a), std::string(12, 'a'));
  EXPECT_EQ(pairs[1].key, "data.train");
  EXPECT_EQ(shown_value(pairs[1], pairs[1].b), R"([{"path":"/e.jsonl","weight":1.0}])");
}

TEST(TrialDifference, WithoutContentsPathsAreAllThereIs) {
  Json older = trial(1, "/d.jsonl", "d0");
  older.erase("content");
  EXPECT_EQ(keys(older, trial(1, "/e.jsonl", "d0")), Keys{"data.train"});
  EXPECT_EQ(keys({{"lora.rank", 4}}, {{"train.lr", 1}}), (Keys{"lora.rank", "train.lr"}));
}

}  // namespace
}  // namespace ranktide::cli
