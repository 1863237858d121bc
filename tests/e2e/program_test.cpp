// What `ranktide` is as a program: quick, without LibTorch, with help for every command.

#include "tests/e2e/program.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

const TemporaryFolder kOutputFolder;
const std::filesystem::path& kOutput = kOutputFolder.path();

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
double child_cpu_ms() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

// Returns: the least processor time of ten runs, so that a busy machine does not decide: what it would take
// alone on a core.
double least_cpu_ms(const std::vector<std::string>& argv) {
  double least = 1e9;
  for (int i = 0; i < 10; ++i) {
    const double before = child_cpu_ms();
    EXPECT_EQ(run(argv, kOutput).exit_code, 0);
    least = std::min(least, child_cpu_ms() - before);
  }
  return least;
}

// The 30 ms are meant for a core of today, where a program that does nothing takes 0.7. On a slower one both
// take longer.
TEST(Program, AnswersItsVersionInUnderThirtyMillisecondsOrFortyTimesAProgramThatDoesNothing) {
  const double nothing = least_cpu_ms({"/bin/true"});
  EXPECT_LT(least_cpu_ms({ranktide_program().string(), "--version"}), std::max(30.0, 40 * nothing));
}
#endif

TEST(Program, LinksNoLibTorch) {
  const Ended ended = run({"/usr/bin/ldd", ranktide_program().string()}, kOutput);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("libzmq"));  // ldd did list something
  EXPECT_THAT(ended.out, Not(HasSubstr("libtorch")));
  EXPECT_THAT(ended.out, Not(HasSubstr("libc10")));
}

TEST(Program, EveryCommandHasHelpWithAnExample) {
  for (const char* command :
       {"run",    "plan",   "query",      "status",    "logs",        "report",  "submit", "list",
        "watch",  "pause",  "resume",     "stop",      "cancel",      "retry",   "set",    "context",
        "worker", "invite", "keygen",     "authorise", "coordinator", "token",   "health", "slurm",
        "doctor", "help",   "completion", "man-pages", "fetch",       "version", "compare"}) {
    const Ended ended = run({ranktide_program().string(), command, "--help"}, kOutput);
    EXPECT_EQ(ended.exit_code, 0);
    const size_t example = ended.out.find("Example:\n  ");
    ASSERT_NE(example, std::string::npos) << command;
    EXPECT_THAT(ended.out.substr(example), HasSubstr(std::string("ranktide ") + command)) << command;
    EXPECT_THAT(ended.out, HasSubstr("--json")) << command;  // json_test: and what it prints then is JSON
  }
}

TEST(Program, RefusesAnUnknownCommandWithTheUsageCodeAndNamesTheNearest) {
  const Ended unknown = run({ranktide_program().string(), "sumbit"}, kOutput);
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("there is no command \"sumbit\"; did you mean \"submit\"?"));
  EXPECT_EQ(run({ranktide_program().string()}, kOutput).exit_code, 2);
}

TEST(Program, SaysWhichArgumentOfWhichCommandIsMissing) {
  const Ended ended = run({ranktide_program().string(), "run"}, kOutput);
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("ranktide run: the argument \"file\""));
  EXPECT_EQ(ended.out, "");
}

TEST(Program, SaysItsVersionAsAWordToo) {
  const Ended word = run({ranktide_program().string(), "version"}, kOutput);
  EXPECT_EQ(word.exit_code, 0);
  EXPECT_EQ(word.out, run({ranktide_program().string(), "--version"}, kOutput).out);
  const Ended json = run({ranktide_program().string(), "version", "--json"}, kOutput);
  EXPECT_EQ("ranktide " + parse_json(json.out).at("version").get<std::string>() + "\n", word.out);
}

TEST(Program, NamesTheDataFolderThatIsNotThere) {
  const Ended ended = run({ranktide_program().string(), "status", "--data-dir", "/no/such/folder"}, kOutput);
  EXPECT_EQ(ended.exit_code, 5);
  EXPECT_THAT(ended.err, HasSubstr("/no/such/folder"));
}

}  // namespace
}  // namespace ranktide::e2e
