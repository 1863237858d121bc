#include "common/sweep/settings.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "common/sweep/setting_check.h"

namespace ranktide {
namespace {

TEST(Settings, EveryDefaultIsAValueThatTheSettingTakes) {
  const SettingValues lora{{"method", "lora"}, {"lora.rank", 4}};
  for (const auto& setting : settings()) {
    const auto value = default_value(setting, lora);
    const bool is_fine = !value || !refusal(setting, *value);
    EXPECT_TRUE(is_fine) << setting.key << " " << value->dump();
  }
}

TEST(Settings, LastPartsAreKeysWhereTheyAreUnique) {
  EXPECT_EQ(full_key("rank"), "lora.rank");
  EXPECT_EQ(full_key("train.lr"), "train.lr");
  EXPECT_EQ(full_key("nothing"), std::nullopt);
}

TEST(Settings, EffectsFollowTheValuesAndDefaults) {
  const Setting& rank = *find_setting("lora.rank");
  EXPECT_TRUE(has_effect(rank, {{"method", "lora"}}));
  EXPECT_FALSE(has_effect(rank, {{"method", "full"}}));
  EXPECT_FALSE(has_effect(*find_setting("train.decay_rule"), {}));
  EXPECT_TRUE(has_effect(*find_setting("train.final_lr"), {}));
}

TEST(Settings, AnOptimizerBringsItsOwnMoments) {
  const Setting& betas = *find_setting("train.betas");
  EXPECT_EQ(default_value(betas, {}), Json({0.9, 0.999}));
  EXPECT_EQ(default_value(betas, {{"train.optimizer", "lion"}}), Json({0.9, 0.99}));
  EXPECT_TRUE(has_effect(betas, {{"train.optimizer", "lion"}}));
  EXPECT_TRUE(has_effect(*find_setting("train.eps"), {}));
  EXPECT_FALSE(has_effect(*find_setting("train.eps"), {{"train.optimizer", "lion"}})) << "lion takes a sign";
}

// Grid works a default out once for each value of its source, whatever else varies.
TEST(Settings, ADefaultHangsOnItsSourceAlone) {
  for (const Setting& setting : settings()) {
    const auto value = default_value(setting, {});
    for (const Setting& other : settings()) {
      if (other.key == default_source(setting)) continue;
      for (const std::string_view choice : other.choices)
        EXPECT_EQ(default_value(setting, {{std::string(other.key), std::string(choice)}}), value)
            << setting.key << " by " << other.key;
    }
  }
}

TEST(Settings, TheReferencePageHoldsTheTable) {
  std::ifstream in(RANKTIDE_SOURCE_DIR "/docs/sweep-file.md");
  std::stringstream page;
  page << in.rdbuf();
  EXPECT_NE(page.str().find(settings_reference()), std::string::npos)
      << "docs/sweep-file.md differs from the table; it should hold:\n"
      << settings_reference();
}

}  // namespace
}  // namespace ranktide
