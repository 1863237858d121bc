// What `ranktide` is as a program: quick, without LibTorch, with help for every command.

#include "tests/e2e/program.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::filesystem::path kOutput = testing::TempDir() + "/program_test";

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Program, AnswersItsVersionInUnderThirtyMilliseconds) {
  std::vector<double> ms;
  for (int i = 0; i < 11; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Ended ended = run({"/bin/sh", "-c", ranktide_program().string() + " --version"}, kOutput);
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    EXPECT_THAT(ended.out, testing::StartsWith("ranktide "));
  }
  std::sort(ms.begin(), ms.end());
  EXPECT_LT(ms.front(), 30) << "the best of eleven; a busy machine cannot make a fast program slow every time";
}
#endif

TEST(Program, LinksNoLibTorch) {
  const Ended ended = run({"/usr/bin/ldd", ranktide_program().string()}, kOutput);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("libzmq"));  // ldd did list something
  EXPECT_THAT(ended.out, Not(HasSubstr("torch")));
  EXPECT_THAT(ended.out, Not(HasSubstr("c10")));
}

TEST(Program, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"run", "plan", "query", "status", "logs", "report", "doctor", "help"}) {
    const Ended ended = run({ranktide_program().string(), command, "--help"}, kOutput);
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr(std::string("Example:\n  ranktide ") + command)) << command;
    EXPECT_THAT(ended.out, HasSubstr("--json")) << command;
  }
}

TEST(Program, RefusesAnUnknownCommandWithTheUsageCode) {
  EXPECT_EQ(run({ranktide_program().string(), "trian"}, kOutput).exit_code, 2);
  EXPECT_EQ(run({ranktide_program().string()}, kOutput).exit_code, 2);
}

TEST(Program, NamesTheDataFolderThatIsNotThere) {
  const Ended ended = run({ranktide_program().string(), "status", "--data-dir", "/no/such/folder"}, kOutput);
  EXPECT_NE(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("/no/such/folder"));
}

}  // namespace
}  // namespace ranktide::e2e
