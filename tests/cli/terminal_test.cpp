#include "cli/terminal.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include "cli/transfer_told.h"

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
  EXPECT_EQ(bytes_text(1), "1 KiB");
}

TEST(TransferText, IsALineWithABarThatIsDrawnOverItselfAndFitsTheScreen) {
  const Terminal screen{.is_terminal = true, .color = false, .width = 60};
  EXPECT_EQ(transfer_text(screen, "sending", "/data/a.jsonl", 5 << 20, 10 << 20),
            "\r\x1b[Ksending /data/a.jsonl  ██████████··········  5 MiB of 10 MiB");
  EXPECT_EQ(transfer_text(screen, "sending", "/data/of/somebody/a.jsonl", 10 << 20, 10 << 20),
            "\r\x1b[Ksending …ody/a.jsonl  ████████████████████  10 MiB of 10 MiB\n");
}

TEST(TransferText, IsALineAtTheEndOffATerminal) {
  EXPECT_EQ(transfer_text({}, "sending", "/data/a.jsonl", 5 << 20, 10 << 20), "");
  EXPECT_EQ(transfer_text({}, "sending", "/data/a.jsonl", 900, 900), "sending /data/a.jsonl 1 KiB of 1 KiB\n");
}

TEST(Terminal, HasTheRowsAndColumnsOfItsScreen) {
  const winsize size{.ws_row = 30, .ws_col = 100};
  int ours = -1, its = -1;
  ASSERT_EQ(openpty(&ours, &its, nullptr, nullptr, &size), 0);
  ::setenv("TERM", "xterm", 1);
  const Terminal terminal = terminal_of(its, "auto");
  EXPECT_TRUE(terminal.is_terminal);
  EXPECT_EQ(terminal.width, 100);
  EXPECT_EQ(terminal.height, 30);
  close(its);
  close(ours);
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
