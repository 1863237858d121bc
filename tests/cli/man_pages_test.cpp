// The manual pages of the real program, as the two programs that show them read them.

#include "cli/man_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/program.h"
#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {
namespace fs = std::filesystem;

using testing::HasSubstr;

class ManPages : public testing::Test {
 protected:
  ManPages() {
    written_ = e2e::run({e2e::ranktide_program().string(), "man-pages", (folder_ / "man1").string()}, folder_);
  }

  // Returns: what `command` says of each page. Not that the date is missing: with one, the pages of a version
  // would differ from day to day.
  std::string complaints(const std::string& command) const {
    std::string said;
    for (const auto& page : fs::directory_iterator(folder_ / "man1"))
      said +=
          e2e::run({"/bin/sh", "-c", command + " " + page.path().string() + " 2>&1 | grep -v 'missing date'"},
                   folder_ / "lint")
              .out;
    return said;
  }

  bool has(const std::string& program) const {
    return e2e::run({"/bin/sh", "-c", "command -v " + program}, folder_ / "has").exit_code == 0;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  e2e::Ended written_;
};

TEST_F(ManPages, OneForTheProgramAndOneForEachCommand) {
  ASSERT_EQ(written_.exit_code, 0) << written_.err;
  EXPECT_THAT(e2e::read_text(folder_ / "man1/ranktide.1"), HasSubstr("\\fBranktide query\\fR"));
  const std::string query = e2e::read_text(folder_ / "man1/ranktide-query.1");
  EXPECT_THAT(query, HasSubstr("\\fB\\-\\-where\\fR \\fITEXT\\fR"));
  EXPECT_THAT(query, HasSubstr("\\fItable|csv|json|jsonl|md\\fR"));
  EXPECT_THAT(query, HasSubstr(".SH EXAMPLE\n.nf\nranktide query quickstart"));
  EXPECT_TRUE(fs::exists(folder_ / "man1/ranktide-slurm-script.1"));
}

TEST_F(ManPages, AreTakenByGroffWithoutAWarning) {
  if (!has("groff")) GTEST_SKIP() << "groff is not installed";
  EXPECT_EQ(complaints("groff -man -Tutf8 -Kutf8 -ww -z"), "");
}

TEST_F(ManPages, AreTakenByMandocWithoutAWarning) {
  if (!has("mandoc")) GTEST_SKIP() << "mandoc is not installed";
  EXPECT_EQ(complaints("mandoc -Tlint -Wwarning"), "");
}

TEST_F(ManPages, AreRefusedWhereTheyCannotBeWritten) {
  const e2e::Ended ended = e2e::run({e2e::ranktide_program().string(), "man-pages", "/proc/nowhere"}, folder_);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("/proc/nowhere/ranktide.1 cannot be written"));
}

}  // namespace
}  // namespace ranktide::cli
