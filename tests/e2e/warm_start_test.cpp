// Trials that start from what others left, with real trainers on tiny models.

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/client_world.h"

namespace ranktide::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// One trial of the tiny sweep, under a name of its own.
std::vector<std::string> one(const std::string& command, const TinyWorld& world, const std::string& name,
                             const std::string& method, const std::vector<std::string>& more = {}) {
  return with({command, world.sweep().string(), "name=" + name, "seeds=[7]", "--only", "block=" + method,
               "--only", "regime = math", "run.keep=weights"},
              more);
}

Json only_row(const std::string& answer) {
  const Json rows = parse_json(answer).at("rows");
  EXPECT_EQ(rows.size(), 1U) << rows;
  return rows.at(0);
}

TEST(WarmStart, BeginsWhereItsSourceEndedAndIsMeasuredAgainstTheBase) {
  const TinyWorld world;
  const auto trial_in = [&](const std::string& name) {
    return only_row(
        world.ranktide({"query", name, "--trials", "--json", "--metric", "learning,gain,retained,forgetting"})
            .out);
  };
  for (const auto& [source, method] :
       {std::pair("lora", "lora"), std::pair("full", "full"), std::pair("full", "lora")}) {
    const std::string what = std::string(source) + "-" + method;
    const Ended first = world.ranktide(one("run", world, "first-" + what, source));
    ASSERT_EQ(first.exit_code, 0) << first.err;
    const Json begun = trial_in("first-" + what);
    const std::string from = "model.from=trial:" + begun.at("trial").get<std::string>().substr(0, 12);
    const Ended second = world.ranktide(one("run", world, "still-" + what, method, {from, "train.lr=0"}));
    ASSERT_EQ(second.exit_code, 0) << second.err;
    const Json still = trial_in("still-" + what);
    for (const char* score : {"learning", "gain", "retained", "forgetting"})
      EXPECT_EQ(still.at(score), begun.at(score)) << what << ": at a rate of 0 it ends where it began";
    EXPECT_NE(still.at("gain"), 0.0);
    const Ended third = world.ranktide(
        one("run", world, "on-" + what, method, {"model.from=trial:" + still.at("trial").get<std::string>()}));
    ASSERT_EQ(third.exit_code, 0) << third.err;
    EXPECT_GT(trial_in("on-" + what).at("learning"), still.at("learning"))
        << what << ": it learns on from there";
  }
}

TEST(WarmStart, WhatItCannotStartFromIsSaidBeforeAnythingRuns) {
  const TinyWorld world;
  const auto planned = [&](const std::vector<std::string>& more) {
    return world.ranktide(one("plan", world, "warm", "lora", more));
  };
  const Ended nowhere = planned({"model.from=trial:abcd"});
  EXPECT_THAT(nowhere.out + nowhere.err,
              HasSubstr("model.from: trial:abcd cannot be looked up: there are no results in"));
  ASSERT_EQ(world.ranktide(one("run", world, "first", "lora")).exit_code, 0);
  const std::string id = only_row(world.ranktide({"query", "first", "--trials", "--json"}).out).at("trial");
  const Ended unknown = world.ranktide(one("run", world, "warm", "lora", {"model.from=trial:0000000000"}));
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("model.from: trial:0000000000 no trial's id starts so"));
  EXPECT_THAT(planned({"model.from=trial:" + id + "@3"}).err,
              HasSubstr("names a step whose weights are not kept"));
  EXPECT_THAT(planned({"model.from=trial:" + id, "lora.rank=64"}).err,
              HasSubstr("left an adapter of another shape"));
  EXPECT_THAT(planned({"model.from=trial:" + id, "model.dtype=bf16"}).err,
              HasSubstr("write model.dtype: fp32"));
  const Ended fine = planned({"model.from=trial:" + id.substr(0, 10)});
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  EXPECT_THAT(fine.out, HasSubstr("1 new"));
}

class WarmStartOnNodes : public ClientWorld {};

TEST_F(WarmStartOnNodes, RunsWhereItsSourcesWeightsLie) {
  const auto n1 = worker("n1");
  Ended first = ask(with(one("submit", world_, "first", "lora"), {"--wait"}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const std::string id = ask_json({"query", "first", "--trials"}).at("rows").at(0).at("trial");
  const auto n2 = worker("n2");
  ASSERT_TRUE(n2->says("joined the coordinator", std::chrono::seconds(60)))
      << read_text(output_of("n2") / "err");
  Ended warm =
      ask(with(one("submit", world_, "warm", "lora", {"model.from=trial:" + id.substr(0, 9)}), {"--wait"}));
  ASSERT_EQ(warm.exit_code, 0) << warm.err;
  const Ended workers = run({"/usr/bin/sqlite3", "-readonly", (data() / "ranktide.db").string(),
                             "SELECT DISTINCT worker FROM v_attempt WHERE kind='stage'"},
                            world_.folder() / "sqlite3");
  EXPECT_EQ(trimmed(workers.out), "n1");
  const Json compared = ask_json({"query", "warm", "--by", "from"}).at("rows");
  EXPECT_THAT(compared.at(1).at("from").get<std::string>(), StartsWith("trial:" + id + "@"));
}

TEST_F(WarmStartOnNodes, FetchesItsSourcesWeightsWhereTheirWorkerHasGone) {
  const auto n1 = worker("n1");
  const Ended first = ask(with(one("submit", world_, "first", "lora"), {"--wait"}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const std::string id = ask_json({"query", "first", "--trials"}).at("rows").at(0).at("trial");
  n1->signal(SIGTERM);
  ASSERT_EQ(n1->wait(std::chrono::seconds(120)).exit_code, 0) << "it has sent what it had";
  const auto n2 = worker("n2");
  const Ended warm = ask(with(one("submit", world_, "warm", "lora", {"model.from=trial:" + id}), {"--wait"}),
                         std::chrono::seconds(240));
  ASSERT_EQ(warm.exit_code, 0) << warm.out << warm.err << read_text(output_of("n2") / "err");
  EXPECT_TRUE(std::filesystem::is_directory(home_of("n2") / "artifacts" / id));
  const Json results = ask_json({"query", "warm", "--by", "from"}).at("rows");
  EXPECT_THAT(results.at(1).at("from").get<std::string>(), StartsWith("trial:" + id + "@"));
}

}  // namespace
}  // namespace ranktide::e2e
