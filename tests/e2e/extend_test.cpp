// A sweep that grows and shrinks: --extend, plan files and new evals, with real trainers on tiny models.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kFull{"--only", "block=full", "--only", "regime = math"};
const std::vector<std::string> kLora{"--only", "block=lora", "--only", "regime = math"};

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Extend, AFinishedSweepGetsWhatIsNewAndTrainsNothingTwice) {
  const TinyWorld world;
  const std::string file = world.sweep().string();
  const Ended early = world.ranktide(with({"run", file, "--extend"}, kLora));
  EXPECT_EQ(early.exit_code, 5);
  EXPECT_THAT(early.err, HasSubstr("--extend: no sweep named tiny was submitted before"));
  ASSERT_EQ(world.ranktide(with({"run", file}, kLora)).exit_code, 0);
  EXPECT_THAT(world.ranktide(with({"plan", file, "--extend"}, kFull)).out,
              HasSubstr("= 4 trials: 2 done, 0 resumable, 2 new"));
  EXPECT_THAT(world.ranktide(with({"plan", file}, kFull)).out, HasSubstr("= 2 trials: 0 done"));
  const Ended grown = world.ranktide(with({"run", file, "--extend"}, kFull));
  ASSERT_EQ(grown.exit_code, 0) << grown.err;
  EXPECT_THAT(grown.err, HasSubstr("2 trials kept, 2 new, 0 no longer listed"));
  const Ended both = world.ranktide({"run", file, "--extend", "--budget", "1h"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("then give part.jsonl with --extend"));
  const std::string part = (world.folder() / "part.jsonl").string();
  ASSERT_EQ(world.ranktide(with({"plan", file, "-o", part}, kFull)).exit_code, 0);
  EXPECT_THAT(world.ranktide({"plan", part, "--extend"}).out, HasSubstr("= 4 trials: 4 done"));
  const Json rows = world.query_rows({"--trials"});
  EXPECT_EQ(rows.size(), 4u);
  for (const Json& row : rows) EXPECT_EQ(row.at("attempts"), 1) << row;
  const Ended again = world.ranktide(with({"run", file, "--extend"}, kFull));
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.err, HasSubstr("= 4 trials: 4 done"));
  EXPECT_THAT(again.err, Not(HasSubstr("a new revision")));
}

TEST(PlanFile, IsRunAsItWasPlannedUntilAnInputChanges) {
  const TinyWorld world;
  const std::string file = world.sweep().string(), plan = (world.folder() / "part.jsonl").string();
  const Ended written = world.ranktide(with({"plan", file, "-o", plan}, kLora));
  ASSERT_EQ(written.exit_code, 0) << written.err;
  EXPECT_THAT(world.ranktide({"submit", plan, "--dry-run"}).err, HasSubstr("tiny: 2 trials"));
  EXPECT_THAT(world.ranktide({"plan", plan, "train.lr=1"}).err, HasSubstr("a plan is taken as it is"));
  ASSERT_EQ(world.ranktide({"run", plan}).exit_code, 0);
  EXPECT_EQ(world.query_rows({"--trials"}).size(), 2u);
  const Ended dear = world.ranktide({"run", plan, "--budget", "1e-9h", "seeds=5"});
  EXPECT_EQ(dear.exit_code, 2);
  EXPECT_THAT(world.ranktide({"plan", file, "seeds=3", "--budget", "1e-9h"}).err,
              HasSubstr("not one cell fits"));
  EXPECT_THAT(world.ranktide({"plan", file, "seeds=3", "--budget", "1h"}).out,
              HasSubstr("--budget 1h takes 12 trials"));
  write_text(world.folder() / "math_train.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  const Ended changed = world.ranktide({"run", plan});
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_THAT(changed.err,
              HasSubstr("math_train.jsonl has other content than when it was planned: 2 trials read it"));
  const std::string of_file =
      "math_train.jsonl has other content than when tiny was submitted last: 2 trials read it";
  EXPECT_THAT(world.ranktide(with({"plan", file}, kLora)).out, HasSubstr(of_file));
  EXPECT_THAT(world.ranktide(with({"plan", file, "--diff", "tiny"}, kLora)).out, Not(HasSubstr(of_file)))
      << "the difference says it";
}

TEST(NewEvals, OfFinishedTrialsRunFromKeptWeightsAndThePlanSaysOfWhich) {
  const TinyWorld world;
  const std::string file = world.sweep().string();
  ASSERT_EQ(world.ranktide({"run", file, "--only", "regime = math"}).exit_code, 0);
  std::string text = TinyWorld::sweep_text();
  text.replace(text.find("eval: {retain: {"), 16, "eval: {retain: {prose_more: {data: prose.txt, limit: 2}, ");
  world.write_sweep(text);
  const Ended planned = world.ranktide({"plan", file, "--only", "regime = math"});
  EXPECT_THAT(planned.out, HasSubstr("4 trials: 4 done"));
  EXPECT_THAT(planned.out, HasSubstr("2 trials get only new evals (from kept weights)\n"));
  EXPECT_THAT(planned.out, HasSubstr("2 trials ended without weights to run new evals on"))
      << "of full finetuning keep: adapters leaves nothing";
  const std::vector<std::string> again = with({"run", file}, kLora);
  ASSERT_EQ(world.ranktide(again).exit_code, 0);
  for (const Json& row : world.query_rows({"--trials"})) EXPECT_EQ(row.at("attempts"), 1) << row;
  EXPECT_THAT(world.ranktide(with({"plan", file}, kLora)).out, Not(HasSubstr("only new evals")));
}

}  // namespace
}  // namespace ranktide::e2e
