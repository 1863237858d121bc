#include "cli/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace ranktide::cli {
namespace {

TEST(Terminal, WritesTimesCountsAndSizesAsPeopleDo) {
  EXPECT_EQ(duration_text(42.4), "0:42");
  EXPECT_EQ(duration_text(725), "12:05");
  EXPECT_EQ(duration_text(11400), "3:10:00");
  EXPECT_EQ(count_text(950), "950");
  EXPECT_EQ(count_text(12345), "12.3k");
  EXPECT_EQ(count_text(4.5e6), "4.5M");
  EXPECT_EQ(bytes_text(1.9 * (1 << 30)), "1.9 GiB");
  EXPECT_EQ(bytes_text(300 << 20), "300 MiB");
}

TEST(Terminal, APipeIsNeitherRedrawnNorColoured) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(terminal_of(ends[1], "auto").is_terminal);
  EXPECT_FALSE(terminal_of(ends[1], "auto").color);
  EXPECT_TRUE(terminal_of(ends[1], "always").color);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace ranktide::cli
