#include "worker/trainer/program/text_lines.h"

#include <gmock/gmock.h>

#include "tests/worker/trainer/tiny_model.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TextLines, SplitsAtLineFeedsOnly) {
  EXPECT_THAT(split_lines("a\r\nb\x0b\x0c c\u2028d\n"), ElementsAre("a\r", "b\x0b\x0c c\u2028d"));
}

TEST(TextLines, CountsALastLineWithoutItsEndAndEmptyLines) {
  EXPECT_THAT(split_lines("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(split_lines("\n"), ElementsAre(""));
  EXPECT_THAT(split_lines(""), IsEmpty());
}

TEST(TextLines, NamesTheFileThatCannotBeRead) {
  try {
    read_all("no/such/file.txt");
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("no/such/file.txt: cannot be read: No such file or directory"));
  }
}

}  // namespace
}  // namespace ranktide
