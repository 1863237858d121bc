// The commands around a run, on a real data folder: the same answers from a serving coordinator and from the
// file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Commands, PlanCountsWithoutStartingAnything) {
  const TinyWorld world;
  const Ended ended = world.ranktide({"plan", world.sweep().string(), "--json", "--list"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Json plan = parse_json(ended.out);
  EXPECT_EQ(plan.at("trials"), 8);
  EXPECT_EQ(plan.at("list").size(), 8u);
  EXPECT_GT(plan.at("estimate").at("seconds").get<double>(), 0);
  EXPECT_FALSE(std::filesystem::exists(world.data() / "ranktide.db"));
}

TEST(Commands, PlanGoesOnWithoutTheModelAndSaysThatIdsAreProvisional) {
  const TinyWorld world;
  std::filesystem::remove_all(world.model());
  const Ended ended = world.ranktide({"plan", world.sweep().string()});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("8 trials"));
  EXPECT_THAT(ended.out, HasSubstr("provisional"));
}

TEST(Commands, PlanWarnsOfARuleThatRemovesNothing) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text() + "exclude: [rank > 512]\n");
  const Ended ended = world.ranktide({"plan", world.sweep().string()});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out,
              HasSubstr("tiny.yaml:16:11: exclude rule \"rank > 512\" removes 0 of 2 cells of block lora"));
  const Json plan = parse_json(world.ranktide({"plan", world.sweep().string(), "--json"}).out);
  EXPECT_EQ(plan.at("warnings").size(), 2u) << "one a block";
}

TEST(Commands, RunSaysThatItMakesFewerSlotsThanItWasAskedFor) {
  const TinyWorld world;
  const Ended ended = world.ranktide({"run", world.sweep().string(), "--slots", "1000", "--threads-per-slot",
                                      "4", "--only", "block=lora", "--only", "regime = math"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, ContainsRegex("--slots 1000: [0-9]+ made, of 4 thread.s. each, for [0-9]+ core"));
}

TEST(Commands, OnlyTakesAPartAndMaxTrialsRefusesTheWhole) {
  const TinyWorld world;
  const std::string file = world.sweep().string();
  const std::vector<std::string> part{"--only", "block=lora", "train.batch=1", "--only", "regime = math"};
  const auto with_part = [&](std::vector<std::string> words) {
    words.insert(words.end(), part.begin(), part.end());
    return world.ranktide(words);
  };
  EXPECT_THAT(with_part({"plan", file}).out, HasSubstr("= 2 trials"));
  EXPECT_THAT(with_part({"submit", "--dry-run", file}).err, HasSubstr("tiny: 2 trials"));
  ASSERT_EQ(with_part({"run", file}).exit_code, 0);
  const Json rows = world.query_rows({"--trials", "--by", "method,regime,batch"});
  ASSERT_EQ(rows.size(), 2u);
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("method"), "lora");
    EXPECT_EQ(row.at("regime"), "math");
    EXPECT_EQ(row.at("batch"), 1);
  }
  EXPECT_THAT(read_text(world.data() / "reports/tiny/report.html"), ContainsRegex("--only [^ ]*regime = math"));
  const Ended none = world.ranktide({"run", file, "--only", "rank > 512"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("--only leaves no trial"));
  for (const char* command : {"plan", "run", "submit"}) {
    const Ended large = world.ranktide({command, file, "--max-trials", "7"});
    EXPECT_EQ(large.exit_code, 2);
    EXPECT_THAT(large.err,
                HasSubstr("the grid has 8 trials, more than 7; shorten an axis, or raise --max-trials"));
  }
}

TEST(Commands, ASweepMayComeFromStandardInput) {
  const TinyWorld world;
  const auto plan = [&](const std::string& file) {
    const std::string line = "cd '" + world.folder().string() + "' && '" + ranktide_program().string() +
                             "' plan - --json --list --data-dir '" + world.data().string() + "' < " + file;
    return run({"/bin/sh", "-c", line}, world.folder() / "output");
  };
  const Ended read = plan("tiny.yaml");
  ASSERT_EQ(read.exit_code, 0) << read.err;
  const Json of_file = parse_json(world.ranktide({"plan", world.sweep().string(), "--json", "--list"}).out);
  EXPECT_EQ(parse_json(read.out).at("list"), of_file.at("list"));
  EXPECT_THAT(plan("prose.txt").err, HasSubstr("stdin"));
}

TEST(Commands, StatusReportAndQueryReadAFinishedRun) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Json status = parse_json(world.ranktide({"status", "tiny", "--json"}).out);
  EXPECT_EQ(status.at(0).at("state"), "finished");
  EXPECT_EQ(status.at(0).at("trials").at("completed"), 8);
  EXPECT_EQ(world.ranktide({"status", "nobody"}).exit_code, 5);
  const auto page = world.folder() / "page.html";
  ASSERT_EQ(world.ranktide({"report", "tiny", "-o", page.string()}).exit_code, 0);
  EXPECT_THAT(read_text(page), HasSubstr("<svg"));
  EXPECT_THAT(world.ranktide({"query", "tiny", "--format", "csv"}).out, StartsWith("regime,method"));
  EXPECT_EQ(world.ranktide({"query", "nobody"}).exit_code, 5);
  EXPECT_EQ(world.ranktide({"query", "tiny", "--where", "rank >"}).exit_code, 2);
}

TEST(Commands, AnswerWhileACoordinatorServesTheFolderToo) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text(1000, 1));
  Program running(world.command({"run", world.sweep().string(), "--slots", "1"}), world.folder() / "running");
  ASSERT_TRUE(running.says("step ", 300s));
  EXPECT_TRUE(std::filesystem::exists(world.data() / "coordinator.http"));
  const Json status = parse_json(world.ranktide({"status", "tiny", "--json"}).out);
  EXPECT_NE(status.at(0).at("state"), "finished");
  EXPECT_GE(world.query_rows({"--trials"}).size(), 1u);
  running.signal(SIGINT);
  EXPECT_EQ(running.wait(300s).exit_code, 130);
  EXPECT_FALSE(std::filesystem::exists(world.data() / "coordinator.http"));
}

TEST(Commands, AnAddressThatAKilledCoordinatorLeftIsNoObstacle) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  write_text(world.data() / "coordinator.http", "127.0.0.1:1\n");
  EXPECT_EQ(world.query_rows().size(), 6u);  // four cells and the base under two sets of evals
}

TEST(Commands, DoctorExaminesTheMachineAndTheTrainer) {
  const TinyWorld world;
  const Json findings = parse_json(world.ranktide({"doctor", "--json"}).out);
  std::vector<std::string> checks;
  for (const Json& finding : findings) checks.push_back(finding.at("check"));
  EXPECT_THAT(checks, testing::IsSupersetOf({"versions", "CURVE", "machine", "data folder", "disk", "keys",
                                             "trainer", "products"}));
  for (const Json& finding : findings) {
    if (finding.at("check") == "trainer") {
      EXPECT_TRUE(finding.at("good").get<bool>()) << finding;
    }
  }
}

TEST(Commands, PlanStandsOnWhatDoctorMeasuredOnceAndSaysSo) {
  const TinyWorld world;
  const std::string file = world.sweep().string();
  EXPECT_THAT(world.ranktide({"plan", file}).out,
              HasSubstr("a first guess; `ranktide doctor --measure` takes 10 s"));
  const Ended measured = world.ranktide({"doctor", "--measure"});
  EXPECT_THAT(measured.out, ContainsRegex("ok +products +measured now: up to fp32 [0-9]+"));
  EXPECT_THAT(world.ranktide({"doctor"}).out, ContainsRegex("ok +products +measured: up to fp32 [0-9]+"));
  EXPECT_THAT(
      world.ranktide({"plan", file}).out,
      testing::AllOf(HasSubstr("(basis: measured products of this machine, ±30 %)"),
                     ContainsRegex("lora .* a trial [0-9]:[0-9][0-9], .*iB +[0-9:]+ of slots ±30 %\n")));
  const Json plan = parse_json(world.ranktide({"plan", file, "--json", "--list"}).out);
  EXPECT_EQ(plan.at("estimate").at("basis"), "products");
  for (const Json& trial : plan.at("list")) {
    EXPECT_GT(trial.at("seconds").get<double>(), 0) << trial;
    EXPECT_GT(trial.at("memory_bytes").get<int64_t>(), 0) << trial;
  }
  for (const Json& block : plan.at("blocks")) {
    EXPECT_GT(block.at("seconds").at("min").get<double>(), 0) << block;
    EXPECT_GE(block.at("seconds").at("max"), block.at("seconds").at("min")) << block;
  }
}

TEST(Commands, RunMeasuresTheMachineOnceBeforeALongSweep) {
  const TinyWorld world;
  const std::vector<std::string> long_sweep{"run", world.sweep().string(), "budget.steps=10000000"};
  const auto tables = [&] {
    const auto folder = world.data() / "devices";
    return std::filesystem::exists(folder) ? std::distance(std::filesystem::directory_iterator(folder),
                                                           std::filesystem::directory_iterator())
                                           : 0;
  };
  {
    Program first(world.command(long_sweep), world.folder() / "first");
    ASSERT_TRUE(first.says("measuring this machine's products once (10 s)", 300s));
    ASSERT_TRUE(first.says("(basis: measured products of this machine, ±30 %)", 600s));
  }
  EXPECT_EQ(tables(), 1);
  Program second(world.command(long_sweep), world.folder() / "second");
  ASSERT_TRUE(second.says("estimate  ", 300s));
  second.signal_group(SIGKILL);
  EXPECT_THAT(second.wait(30s).err, testing::Not(HasSubstr("measuring this machine")));
}

TEST(Commands, HelpHasTheSettingsTheExitCodesAndTheEnvironment) {
  const TinyWorld world;
  EXPECT_THAT(world.ranktide({"help", "sweep-file"}).out, HasSubstr("train.lr"));
  EXPECT_THAT(world.ranktide({"help", "exit-codes"}).out, HasSubstr("130"));
  EXPECT_THAT(world.ranktide({"help", "environment"}).out, HasSubstr("RANKTIDE_DATA_DIR"));
}

}  // namespace
}  // namespace ranktide::e2e
