// The behaviors of a Split stage, on the example of Hugging Face's documentation: "the-final--countdown" at
// "-".

#include "common/text/splitter.h"

#include <gmock/gmock.h>

namespace ranktide {
namespace {

using testing::ElementsAre;

std::vector<std::string_view> pieces(SplitBehavior behavior, bool invert = false) {
  static constexpr std::string_view kText = "the-final--countdown";
  return Splitter({.pattern = "-", .behavior = behavior, .invert = invert}).split({kText});
}

TEST(Splitter, SplitsByBehavior) {
  EXPECT_THAT(pieces(SplitBehavior::removed), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(pieces(SplitBehavior::isolated), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(pieces(SplitBehavior::merged_with_previous), ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(pieces(SplitBehavior::merged_with_next), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(pieces(SplitBehavior::contiguous), ElementsAre("the", "-", "final", "--", "countdown"));
}

TEST(Splitter, InvertedKeepsTheMatches) {
  EXPECT_THAT(pieces(SplitBehavior::removed, true), ElementsAre("-", "-", "-"));
}

TEST(Splitter, LooksNoFurtherThanItsPiece) {
  const std::string_view text = "a  b";
  const Splitter splitter({.pattern = R"(\s+(?!\S)|\s+)"});
  EXPECT_THAT(splitter.split({text}), ElementsAre("a", " ", " ", "b"));
  EXPECT_THAT(splitter.split({text.substr(0, 3)}), ElementsAre("a", "  "));
}

TEST(Splitter, TakesTheMongolianVowelSeparatorForNoWhiteSpace) {
  EXPECT_THAT(Splitter({.pattern = R"(\s)"}).split({"a\u180Eb\u00A0c"}),
              ElementsAre("a\u180Eb", "\u00A0", "c"));
  EXPECT_THAT(Splitter({.pattern = R"([\s\p{N}])"}).split({"\u180E1"}), ElementsAre("\u180E", "1"));
}

}  // namespace
}  // namespace ranktide
