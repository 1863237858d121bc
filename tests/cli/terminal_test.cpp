#include "cli/terminal.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <pty.h>
#include <string>
#include <unistd.h>

#include "cli/live_drawing.h"
#include "cli/transfer_told.h"

namespace ranktide::cli {
namespace {

TEST(Terminal, WritesTimesCountsAndSizesAsPeopleDo) {
  EXPECT_EQ(duration_text(42.4), "0:42");
  EXPECT_EQ(duration_text(725), "12:05");
  EXPECT_EQ(duration_text(3599.6), "1 h 00 min");
  EXPECT_EQ(duration_text(33'600), "9 h 20 min");
  EXPECT_EQ(duration_text(388'800), "4.5 days");
  EXPECT_EQ(count_text(950), "950");
  EXPECT_EQ(count_text(12345), "12.3k");
  EXPECT_EQ(count_text(4.5e6), "4.5M");
  EXPECT_EQ(bytes_text(1.9 * (1 << 30)), "1.9 GiB");
  EXPECT_EQ(bytes_text(300 << 20), "300 MiB");
  EXPECT_EQ(bytes_text(1.25 * 1024 * (int64_t{1} << 30)), "1.2 TiB");
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

// A pseudo terminal of 10 rows and 100 columns.
class Screen {
 public:
  Screen() {
    const winsize size{.ws_row = 10, .ws_col = 100};
    EXPECT_EQ(openpty(&ours_, &its_, nullptr, nullptr, &size), 0);
    ::setenv("TERM", "xterm", 1);
  }
  ~Screen() {
    close(its_);
    close(ours_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  int descriptor() const { return its_; }
  // Returns: what `draw` writes to standard error while that is this screen. Requires: it is little.
  std::string drawn_by(const std::function<void()>& draw) const {
    const int before = dup(STDERR_FILENO);
    dup2(its_, STDERR_FILENO);
    draw();
    dup2(before, STDERR_FILENO);
    close(before);
    EXPECT_EQ(write(its_, &kEnd, 1), 1);
    std::string text;  // a read gives what the kernel has brought over so far
    for (char c = 0; read(ours_, &c, 1) == 1 && c != kEnd;) text.push_back(c);
    return text;
  }

 private:
  static constexpr char kEnd = '\x01';

  int ours_ = -1;
  int its_ = -1;
};

TEST(Terminal, HasTheRowsAndColumnsOfItsScreen) {
  const Screen screen;
  const Terminal terminal = terminal_of(screen.descriptor(), "auto");
  EXPECT_TRUE(terminal.is_terminal);
  EXPECT_EQ(terminal.width, 100);
  EXPECT_EQ(terminal.height, 10);
}

TEST(LiveDrawing, LeavesARowOfTheScreenToTheCursor) {
  const Screen screen;
  const LiveFrame frame{.sweep = "tide", .running = std::vector<LiveUnit>(50, LiveUnit{.label = "lora"})};
  const std::string text = screen.drawn_by([&] { LiveDrawing(GlobalOptions{}).show(frame); });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
  EXPECT_NE(text.find("and 43 more"), std::string::npos) << text;
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
