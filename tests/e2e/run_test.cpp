// `ranktide run` end to end with real coordinator, worker and trainers: results, resumption, reuse.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <signal.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// Returns: what the sqlite3 shell prints for a query over this world's database.
std::string sql(const TinyWorld& world, const std::string& query) {
  const Ended ended = run({"/usr/bin/sqlite3", "-readonly", (world.data() / "ranktide.db").string(), query},
                          world.folder() / "sqlite");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  return ended.out;
}

// Returns: of every trial the hash of what it trained.
std::map<std::string, std::string> weights_of(const TinyWorld& world) {
  std::map<std::string, std::string> out;
  std::istringstream lines(sql(world, "SELECT trial || ' ' || weights_sha256 FROM v_trial ORDER BY trial"));
  for (std::string trial, hash; lines >> trial >> hash;) out[trial] = hash;
  return out;
}

// Returns: every loss and every score with all its digits, one a line.
std::string numbers_of(const TinyWorld& world) {
  return sql(
      world,
      "SELECT trial, step, printf('%!.17g', value) FROM v_metric WHERE name = 'loss' ORDER BY trial, step;"
      "SELECT trial, step, task, printf('%!.17g', value) FROM v_eval ORDER BY trial, step, task");
}

std::string journal_counts(const TinyWorld& world, const std::string& kind) {
  return sql(world, "SELECT count(*) FROM record WHERE kind = '" + kind + "'");
}

// Returns: what `ranktide logs` prints of all trials.
std::string logs_of(const TinyWorld& world) {
  std::string out;
  for (const auto& [trial, hash] : weights_of(world)) out += world.ranktide({"logs", trial}).out;
  return out;
}

// Returns: a sweep of two trials, full and LoRA on one regime, each of so many steps.
std::string two_trials(int steps) {
  std::string text = TinyWorld::sweep_text(steps, 1);
  const size_t math = text.find("    math:");
  return text.erase(math, text.find('\n', math) + 1 - math);
}

TEST(Run, EndsWithATableOfWhatEachCellLearnedAndForgot) {
  const TinyWorld world;
  const Ended ended = world.ranktide({"run", world.sweep().string()});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("4 cells, 4 distinct x 2 seeds = 8 trials"));
  EXPECT_THAT(ended.err, ContainsRegex("estimate  .* of memory a trial\n(.*\n)*tiny: [1-8] of 8 trials done"));
  for (const char* word : {"regime", "method", "learning", "gain", "forgetting", "tokens", "seconds", "memory",
                           "base", "lora", "full", "code", "math", "±"})
    EXPECT_THAT(ended.out, HasSubstr(word)) << ended.out;
  for (const Json& row : world.query_rows({"--where", "method = lora or method = full"}))
    for (const char* cost : {"tokens", "seconds", "memory"})
      EXPECT_TRUE(row.at("method") == "base" || row.at(cost).get<double>() > 0) << row;
  EXPECT_TRUE(std::filesystem::exists(world.data() / "reports/tiny/report.html"));
}

TEST(Run, EveryTrialGainsOnWhatItWasTrainedOn) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string(), "budget.steps=12"}).exit_code, 0);
  const Json rows = world.query_rows({"--trials", "--metric", "gain"});
  ASSERT_EQ(rows.size(), 8u);
  for (const Json& row : rows) EXPECT_GT(row.at("gain").get<double>(), 0) << row;
}

TEST(Run, TheSameFileAgainTrainsNothing) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const std::string granted = journal_counts(world, "LeaseGranted");
  const Ended again = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("8 done, 0 resumable, 0 new"));
  EXPECT_EQ(journal_counts(world, "LeaseGranted"), granted);
}

// A model that hardly learns at these rates learns more with each higher one.
TEST(Run, ATunedRateGrowsBeyondItsEndByItselfAndTheBestIsShown) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text(4, 1) + "tune: {axes: [train.lr], extend: 1}\n");
  const std::vector<std::string> command{"run",        world.sweep().string(), "--only",
                                         "block=lora", "regime=code",          "lora:train.lr=1e-6,1e-5,1e-4"};
  const Ended ended = world.ranktide(command);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(sql(world, "SELECT lr FROM v_trial WHERE state = 'completed' ORDER BY lr"),
            "1.0e-06\n1.0e-05\n0.0001\n0.001\n");
  EXPECT_EQ(world.query_rows({"--where", "method = lora"}).size(), 2u) << "the base and the best rate";
  EXPECT_EQ(world.query_rows({"--no-select", "--where", "method = lora"}).size(), 5u);
  const std::string granted = journal_counts(world, "LeaseGranted");
  EXPECT_EQ(world.ranktide(command).exit_code, 0);
  EXPECT_EQ(journal_counts(world, "LeaseGranted"), granted);
  EXPECT_EQ(journal_counts(world, "SweepExtended"), "1\n");
}

TEST(Run, AnEditedFileRunsOnlyWhatIsNew) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const auto before = weights_of(world);
  world.write_sweep(TinyWorld::sweep_text(4, 3));
  const Ended again = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("12 trials: 8 done, 0 resumable, 4 new"));
  EXPECT_THAT(again.err,
              HasSubstr("a new revision of tiny:\nseeds + 2: 8 trials kept, 4 new, 0 no longer listed"));
  const auto after = weights_of(world);
  EXPECT_EQ(after.size(), 12u);
  for (const auto& [trial, hash] : before) EXPECT_EQ(after.at(trial), hash);
  EXPECT_EQ(journal_counts(world, "UnitFinished"), "15\n");  // 12 stages and the base under three evals
}

TEST(Run, AFileChangedAndChangedBackIsTheFirstSweepAgain) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Json first = world.query_rows({"--trials"});
  ASSERT_EQ(world.ranktide({"run", world.sweep().string(), "train.batch=1"}).exit_code, 0);
  EXPECT_NE(world.query_rows({"--trials"}), first);
  // What only an earlier revision lists is done all the same.
  EXPECT_EQ(parse_json(world.ranktide({"plan", world.sweep().string(), "--json"}).out).at("done"), 8);
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  EXPECT_EQ(world.query_rows({"--trials"}), first);
}

TEST(Run, GoesOnAfterCtrlCAndEndsWithTheSameWeightsBitForBit) {
  const std::string text = two_trials(steps_of_a_long_trial(5));
  const TinyWorld undisturbed;
  undisturbed.write_sweep(text);
  ASSERT_EQ(undisturbed.ranktide({"run", undisturbed.sweep().string()}).exit_code, 0);
  const auto expected = weights_of(undisturbed);

  const TinyWorld world;
  world.write_sweep(text);
  {
    Program first(world.command({"run", world.sweep().string()}), world.folder() / "first");
    ASSERT_TRUE(first.says("step ", 300s));
    first.signal(SIGINT);
    const Ended ended = first.wait(300s);
    EXPECT_EQ(ended.exit_code, 130) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("the same command goes on"));
  }
  const Ended second = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.err, Not(HasSubstr(" 0 resumable"))) << "nothing was checkpointed";
  EXPECT_THAT(logs_of(world), ContainsRegex("\\[local attempt 2\\] resumed at step [1-9]"))
      << "trained from the base";
  EXPECT_EQ(weights_of(world), expected);
}

TEST(Run, EndsWithTheSameNumbersAfterKillMinusNineAtSeveralMoments) {
  // Longer than all the moments together, so that the last kill finds something in training.
  const std::string text = two_trials(steps_of_a_long_trial(10)) + "run: {checkpoint_every: 1s}\n";
  const TinyWorld undisturbed;
  undisturbed.write_sweep(text);
  ASSERT_EQ(undisturbed.ranktide({"run", undisturbed.sweep().string()}).exit_code, 0);
  const auto weights = weights_of(undisturbed);
  const std::string numbers = numbers_of(undisturbed);

  const TinyWorld world;
  world.write_sweep(text);
  for (const auto moment : {300ms, 700ms, 1500ms, 2500ms}) {
    Program doomed(world.command({"run", world.sweep().string()}), world.folder() / "doomed");
    const bool comes_early = moment == 300ms;
    ASSERT_TRUE(comes_early || doomed.says("step ", 300s));
    std::this_thread::sleep_for(moment);
    doomed.signal_group(SIGKILL);
    doomed.wait(60s);
  }
  const Ended ended = world.ranktide({"run", world.sweep().string()}, 600s);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(logs_of(world), ContainsRegex("resumed at step [1-9]")) << "no kill came after a checkpoint";
  EXPECT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights_of(world), weights);
  EXPECT_EQ(numbers_of(world), numbers);
  EXPECT_EQ(sql(world, "SELECT count(*) FROM v_event WHERE kind = 'DivergentDuplicate'"), "0\n");
}

// Budgets under a schedule that is flat up to its cooldown, with evals before and after the trunk is left.
std::string sweep_of_budgets(const std::string& name, const std::string& steps) {
  return "version: 1\nname: " + name +
         "\nmodel: {path: model, dtype: fp32}\n"
         "data: {train: code_train.txt, max_tokens: 64}\n"
         "train: {batch: 2, schedule: wsd, warmup: 1, cooldown: 20%}\n"
         "axes: {budget.steps: " +
         steps +
         "}\n"
         "eval: {learn: {code_loss: {data: code_held.txt, limit: 4}}, at: [0, 3, 4, end]}\n"
         "blocks:\n"
         "  full: {method: full, train.lr: 1e-3}\n"
         "  lora: {method: lora, lora.rank: 4, lora.target: attn, lora.dropout: 0.1, train.lr: 1e-2}\n";
}

TEST(Run, TrialsThatDifferInTheirBudgetTrainTheirBeginningOnceAndEndAsEachAlone) {
  const TinyWorld alone;
  for (const char* steps : {"5", "10", "20"}) {
    alone.write_sweep(sweep_of_budgets(std::string("only") + steps, "[" + std::string(steps) + "]"));
    ASSERT_EQ(alone.ranktide({"run", alone.sweep().string()}).exit_code, 0);
  }
  EXPECT_EQ(journal_counts(alone, "BranchesOpened"), "0\n");

  const TinyWorld world;
  world.write_sweep(sweep_of_budgets("tiny", "[5, 10, 20]"));
  const Ended ended = world.ranktide({"run", world.sweep().string()});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(journal_counts(world, "BranchesOpened"), "2\n");
  EXPECT_THAT(logs_of(world), AllOf(HasSubstr("resumed at step 4 "), HasSubstr("resumed at step 8 "),
                                    HasSubstr("resumed at step 16 ")));
  EXPECT_EQ(weights_of(world).size(), 6u);
  EXPECT_EQ(weights_of(world), weights_of(alone));
  EXPECT_EQ(numbers_of(world), numbers_of(alone));
  EXPECT_EQ(sql(world, "SELECT count(*) FROM v_event WHERE kind = 'DivergentDuplicate'"), "0\n");
  EXPECT_EQ(sql(world, "SELECT count(*) FROM v_attempt WHERE kind = 'trunk' AND end_reason = 'completed'"),
            "2\n");

  const Ended again = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(sql(world, "SELECT count(*) FROM attempt WHERE unit IN (SELECT trunk FROM branch)"), "2\n");
}

TEST(Run, EndsWithTheReasonWhenNothingFitsASlot) {
  const TinyWorld world;
  Program program(world.command({"run", world.sweep().string(), "run.needs.memory=1024TiB"}),
                  world.folder() / "program");
  ASSERT_TRUE(program.says("wait for a slot that fits", 300s));
  EXPECT_THAT(world.ranktide({"status", "tiny"}).out,
              HasSubstr(" wait for a slot that fits: they need 1024.0 TiB"));
  const Json status = parse_json(world.ranktide({"status", "tiny", "--json"}).out);
  EXPECT_EQ(status.at(0).at("waiting").at("memory_bytes_max"), int64_t{1} << 50);
  const Ended ended = program.wait(300s);
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("run.needs.memory sets another figure"));
  const Ended again = world.ranktide({"run", world.sweep().string(), "run.needs.memory=1MiB"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST(Run, EndsWhenItsSweepIsStoppedFromAnotherShellAndCountsWhatNeverStarted) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text(300, 2));
  Program program(world.command({"run", world.sweep().string(), "--slots", "1"}), world.folder() / "program");
  ASSERT_TRUE(program.says("step ", 300s));
  EXPECT_EQ(world.ranktide({"stop", "tiny"}).exit_code, 0);
  const Ended ended = program.wait(300s);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, ContainsRegex("of 8 trials are in no mean: .*[1-9] not started"));
  EXPECT_THAT(world.ranktide({"status", "tiny"}).out, ContainsRegex("stopped  [1-7]/8 trials"));
}

// Gain and forgetting are differences to the untouched base, which eval.at need not name.
TEST(Run, MeasuresAgainstTheUntouchedBaseWhateverEvalAtSays) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text() + "eval.at: [end]\n");
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  for (const Json& row : world.query_rows()) {
    EXPECT_TRUE(row.at("gain").is_number()) << row;
    EXPECT_TRUE(row.at("forgetting").is_number()) << row;
  }
}

TEST(Run, SaysThatFinishedTrialsLeftLessThanIsAskedForNow) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Ended again = world.ranktide({"run", world.sweep().string(), "run.keep=weights"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("4 finished trials left less than run.keep: weights asks for now"));
}

TEST(Run, WritesAdaptersWhereTheQuerySaysTheyAre) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Json rows = world.query_rows({"--trials", "--where", "method = lora"});
  ASSERT_EQ(rows.size(), 4u);
  for (const Json& row : rows) {
    const std::filesystem::path folder = row.at("artifacts").get<std::string>();
    EXPECT_TRUE(std::filesystem::exists(folder / "adapter_config.json")) << folder;
    EXPECT_TRUE(std::filesystem::exists(folder / "adapter_model.safetensors")) << folder;
  }
}

TEST(Run, LogsOfATrialAreFoundByAnyUniquePrefix) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const std::string trial = world.query_rows({"--trials"})[0].at("trial").get<std::string>();
  const Json attempts = parse_json(world.ranktide({"logs", trial.substr(0, 12), "--json"}).out);
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].at("trial"), trial);
  EXPECT_EQ(attempts[0].at("attempt"), 1);
  const std::filesystem::path file =
      world.data() / "logs" / attempts[0].at("unit").get<std::string>() / "1.log";
  ASSERT_TRUE(std::filesystem::exists(file)) << file;
  // What a trainer prints there is shown with its worker and attempt.
  write_text(file, "first\nsecond\nthird\n");
  EXPECT_EQ(world.ranktide({"logs", trial.substr(0, 12)}).out,
            "[local attempt 1] first\n[local attempt 1] second\n[local attempt 1] third\n");
  EXPECT_EQ(world.ranktide({"logs", trial, "--tail", "1", "--attempt", "1"}).out, "[local attempt 1] third\n");
  EXPECT_EQ(world.ranktide({"logs", trial, "--attempt", "2"}).out, "");
  EXPECT_EQ(world.ranktide({"logs", "zzzz"}).exit_code, 5);
}

}  // namespace
}  // namespace ranktide::e2e
