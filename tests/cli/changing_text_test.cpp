#include "cli/changing_text.h"

#include <gtest/gtest.h>
#include <sstream>

namespace ranktide::cli {
namespace {

std::string shown(Terminal terminal, const std::vector<std::string>& texts) {
  std::ostringstream out;
  ChangingText changing(out, terminal);
  for (const std::string& text : texts) changing.show(text);
  return out.str();
}

TEST(ChangingText, IsPrintedAgainOffATerminalOnlyWhenItChanged) {
  EXPECT_EQ(shown({}, {"a\n", "a\n", "b\n"}), "a\nb\n");
}

TEST(ChangingText, TakesThePlaceOfTheOneBeforeOnATerminal) {
  EXPECT_EQ(shown({.is_terminal = true}, {"a\nb\n", "c\n"}), "a\nb\n\x1b[1A\x1b[2K\x1b[1A\x1b[2Kc\n");
}

TEST(ChangingText, IsCutWhereTheScreenEnds) {
  EXPECT_EQ(shown({.is_terminal = true, .width = 3}, {"abcdef\n"}), "abc\n");
  EXPECT_EQ(shown({.is_terminal = true, .width = 3}, {"ab\u2588\n"}), "ab\n");
}

TEST(ChangingText, IsCutToTheRowsOfTheScreenAndSaysHowManyMoreThereAre) {
  EXPECT_EQ(shown({.is_terminal = true, .height = 4}, {"a\nb\nc\n"}), "a\nb\nc\n");
  EXPECT_EQ(shown({.is_terminal = true, .height = 4}, {"a\nb\nc\nd\n", "e\n"}),
            "a\nb\n... and 2 more lines\n\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2Ke\n");
}

}  // namespace
}  // namespace ranktide::cli
