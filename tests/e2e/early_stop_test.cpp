// A sweep that stops what falls behind, with real trainers on a tiny model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using testing::HasSubstr;

constexpr const char* kRates =
    "version: 1\nname: tiny\nmodel: {path: model, dtype: fp32}\ndata: {train: code_train.txt, max_tokens: 64}\n"
    "train: {batch: 2, schedule: constant, warmup: 0}\nbudget: {steps: 12}\nmethod: full\nseeds: 2\n"
    "axes: {train.lr: [1e-3, 3]}\ntune: {axes: [train.lr], by: code_loss}\n"
    "eval: {learn: {code_loss: {data: code_held.txt, limit: 4}}}\n"
    "run: {stop_early: {by: code_loss, eta: 2, first: 25%}}\n";

// One slot runs the trials one after the other, so that the good rate has come to the rung when the bad one
// does.
TEST(EarlyStop, ARateThatIsFarTooHighIsStoppedWithAllItsSeedsAndSaidSoEverywhere) {
  const TinyWorld world;
  world.write_sweep(kRates);
  const Ended ended = world.ranktide({"run", world.sweep().string(), "--slots", "1"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Json rows = world.query_rows({"--trials"});
  ASSERT_EQ(rows.size(), 4u);
  for (const Json& row : rows)
    EXPECT_EQ(row.at("state"), row.at("lr") == 3 ? "stopped_early" : "completed") << row;
  EXPECT_THAT(world.ranktide({"status", "tiny"}).out, HasSubstr("stopped early 2"));
  EXPECT_THAT(world.ranktide({"query", "tiny", "--by", "lr", "--no-select"}).out, HasSubstr("2 stopped early"));
  EXPECT_THAT(world.ranktide({"query", "tiny"}).out, HasSubstr("lr 3 left out: 2 stopped early"));
  EXPECT_THAT(world.ranktide({"plan", world.sweep().string()}).out,
              HasSubstr("2 done, 2 stopped early, 0 resumable, 0 new"));
  const Ended again = world.ranktide({"run", world.sweep().string(), "--slots", "1"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(world.query_rows({"--trials"}), rows) << "nothing is left to run";
}

}  // namespace
}  // namespace ranktide::e2e
