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
       {"run",    "plan",   "query",      "status",    "logs",        "report",  "submit",  "list",
        "watch",  "pause",  "resume",     "stop",      "cancel",      "retry",   "set",     "context",
        "worker", "invite", "keygen",     "authorise", "coordinator", "token",   "health",  "slurm",
        "doctor", "help",   "completion", "man-pages", "fetch",       "version", "compare", "import"}) {
    const Ended ended = run({ranktide_program().string(), command, "--help"}, kOutput);
    EXPECT_EQ(ended.exit_code, 0);
    const size_t example = ended.out.find("Example:\n  ");
    ASSERT_NE(example, std::string::npos) << command;
    EXPECT_THAT(ended.out.substr(example), HasSubstr(std::string("ranktide ") + command)) << command;
    EXPECT_THAT(ended.out, HasSubstr("--json")) << command;  // json_test: and what it prints then is JSON
  }
}

TEST(Program, ImportsAFileOfAnotherToolAndOverwritesNothing) {
  const std::string theirs =
      std::string(RANKTIDE_SOURCE_DIR) + "/tests/common/sweep/import/examples/wandb/full_finetune.in.yaml";
  const std::string ours = (kOutput / "imported.yaml").string();
  const std::vector<std::string> command{ranktide_program().string(), "import", "wandb", theirs, "-o", ours};
  const Ended ended = run(command, kOutput);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err,
              HasSubstr("left to do:\n  data.train: file of rows or text\nthen: ranktide plan " + ours));
  EXPECT_THAT(read_text(ours), HasSubstr("#data.train: data/train.jsonl"));
  const Ended again = run(command, kOutput);
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("is there already; give another name with -o"));
  EXPECT_EQ(run({ranktide_program().string(), "import", "katib", theirs}, kOutput).exit_code, 2);
  EXPECT_EQ(run({ranktide_program().string(), "import", "wandb", "none.yaml"}, kOutput).exit_code, 2);
}

TEST(Program, SaysAllThatIsWrongWithASweepFileInOneGo) {
  const std::string file = (kOutput / "wrong.yaml").string();
  write_text(file, "version: 1\nname: s\ntrain: {shedule: linear, batch: 16.0}\nseeds: 0\n");
  for (const char* command : {"plan", "run", "submit"}) {
    const Ended ended = run({ranktide_program().string(), command, file, "--json"}, kOutput);
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_THAT(
        ended.err,
        testing::AllOf(HasSubstr("wrong.yaml:3:9: unknown key \"train.shedule\""),
                       HasSubstr("   3 | train: {shedule: linear, batch: 16.0}\n     |         ^^^^^^^"),
                       HasSubstr("wrong.yaml:3:33: train.batch takes a whole number"),
                       HasSubstr("wrong.yaml:4:8: seeds takes a count")));
    const Json errors = parse_json(ended.out).at("errors");
    ASSERT_EQ(errors.size(), 3U) << command;
    EXPECT_EQ(errors[2].at("line"), 4);
    EXPECT_EQ(errors[2].at("column"), 8);
    EXPECT_THAT(errors[2].at("message").get<std::string>(), HasSubstr("seeds takes a count"));
  }
}

TEST(Program, ExplainsWhereAKeyComesFrom) {
  const std::string file = std::string(RANKTIDE_SOURCE_DIR) + "/sweeps/paper_ift.yaml";
  const auto explain = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {ranktide_program().string(), "plan", file});
    return run(more, kOutput);
  };
  const Ended text = explain({"full:train.lr=2e-5", "--explain", "lr", "--block", "full"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out,
              testing::MatchesRegex("train.lr in block full\n  \\* command line +2e-5 +full:train.lr=2e-5\n"
                                    "    block +.*paper_ift.yaml:[0-9]+:[0-9]+\n    default +required\n"));
  const Json json = parse_json(explain({"--explain", "lr", "--json"}).out);
  EXPECT_GE(json.at("blocks").size(), 4U);
  EXPECT_EQ(json.at("blocks")[0].at("key"), "train.lr");
  const Ended unknown = explain({"--explain", "learning_rate"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean \"train.lr\"?"));
  EXPECT_THAT(explain({"--explain", "lr", "--block", "ful"}).err, HasSubstr("did you mean \"full\"?"));
  for (const char* other : {"--only=block=full", "--list", "-o=p.jsonl", "--diff=s", "--extend", "--budget=1h"})
    EXPECT_EQ(explain({"--explain", "lr", other}).exit_code, 2) << other << " would do nothing";
}

TEST(Program, PlansThePapersExperimentsAsTheyStand) {
  const std::string file = std::string(RANKTIDE_SOURCE_DIR) + "/sweeps/paper_ift.yaml";
  const std::string data = (kOutput / "data").string();
  const Ended ended = run({ranktide_program().string(), "plan", file, "--data-dir", data}, kOutput);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("78 distinct x 3 seeds = 234 trials"));
  EXPECT_THAT(ended.out, HasSubstr("eval humaneval: kind code can be planned, not run yet"));
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
