// Edits of sweeps whose values race: what was found is weighed again once all is listed, a bounded part at a
// time. What a transcript shows of it stands in tests/scenarios/stopped_early_*.txt.

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

#include "coordinator/core/coordinator.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

// A worker of many slots; the higher the rate, the worse its loss.
class EditedRace : public testing::Test {
 protected:
  void submit(const std::string& rates, int ranks = 1) {
    SweepForTests wish{.name = "race",
                       .run = "stop_early: {by: words, eta: 2, first: 50%}",
                       .rates = rates,
                       .tune = "{axes: [train.lr]}"};
    wish.ranks.resize(static_cast<size_t>(ranks));
    std::iota(wish.ranks.begin(), wish.ranks.end(), 1);
    step(Submit{.reply_to = 1, .request_id = "r" + std::to_string(++requests_), .spec = sweep_for_tests(wish)});
  }
  void hello(int slots) {
    Hello hello{.boot = "a", .version = "test", .slots = {}, .held = {}};
    for (int i = 0; i < slots; ++i) hello.slots.push_back({.index = i, .device = "cpu"});
    step(FromWorker{kWorker, hello});
  }
  void run_all() {
    while (!grants_.empty()) {
      const Grant grant = grants_.front();
      grants_.erase(grants_.begin());
      Report report{.lease = grant.lease, .seq = 1, .findings = {}};
      for (const EvalOrder& order : grant.work.evals)
        report.findings.evals.push_back({.id = order.id,
                                         .metric = "loss",
                                         .value = grant.work.stage ? grant.work.stage->settings.train.lr : 9,
                                         .sign = -1,
                                         .n = 1});
      step(FromWorker{kWorker, report});
      step(FromWorker{kWorker, Done{.lease = grant.lease, .seq = 2, .outcome = {}}});
    }
  }
  void step(const Input& input) {
    effects_ = {};
    core_.step(Instant{}, input, effects_);
    for (const ToWorker& to : effects_.messages)
      if (const auto* grant = std::get_if<Grant>(&to.message)) grants_.push_back(*grant);
    records_.insert(records_.end(), effects_.records.begin(), effects_.records.end());
    for (const Record& record : effects_.records)
      if (const auto* lifted = std::get_if<EarlyVerdictsLifted>(&record))
        lifted_.push_back(lifted->cells.size());
  }
  template <class R>
  int64_t count() const {  // by the last step
    return std::count_if(effects_.records.begin(), effects_.records.end(),
                         [](const Record& record) { return std::holds_alternative<R>(record); });
  }
  const Races& races() const { return core_.state().find_sweep("race")->races; }

  const WorkerName kWorker{"w1"};
  Coordinator core_{CoordinatorConfig{}, State{}, Instant{}};
  Effects effects_;
  std::vector<Record> records_;
  std::vector<Grant> grants_;   // that are not answered
  std::vector<size_t> lifted_;  // values, by each record
  int requests_ = 0;
};

TEST_F(EditedRace, AGridOfAnySizeKeepsItsVerdicts) {
  hello(4);
  submit("[1e-4, 1e-3]");
  run_all();
  ASSERT_EQ(races().verdicts.size(), 1u);
  std::string rates = "[1e-4, 1e-3";
  for (int i = 1; i < 9'000; ++i) rates += ", " + std::to_string(i) + "e-9";
  submit(rates + "]", 3);  // some 27,000 cells
  EXPECT_EQ(count<EarlyVerdictsLifted>(), 0);
  EXPECT_EQ(count<CellStoppedEarly>(), 1) << "where it is listed";
  EXPECT_EQ(races().verdicts.size(), 1u);
}

TEST_F(EditedRace, ManyVerdictsAreLiftedAPartAtATime) {
  constexpr int kRanks = 230;
  hello(4);
  submit("[1e-4, 1e-3]", kRanks);
  run_all();
  ASSERT_EQ(races().verdicts.size(), static_cast<size_t>(kRanks));
  submit("[1e-3, 1e-2]", kRanks);
  EXPECT_TRUE(lifted_.empty()) << "there is still something to list";
  run_all();
  EXPECT_EQ(lifted_, (std::vector<size_t>{100, 100, 30}));
  const Sweep& sweep = *core_.state().find_sweep("race");
  EXPECT_TRUE(sweep.is_over());
  EXPECT_EQ(sweep.stages[static_cast<size_t>(UnitLife::completed)], kRanks) << "the better of the two";
  EXPECT_EQ(races().verdicts.size(), static_cast<size_t>(kRanks)) << "the other is behind it";
}

// What is not printed, a replay could lose and nobody would see it.
TEST_F(EditedRace, ItsTextTellsWhoRacesWithWhom) {
  hello(4);
  submit("[1e-4, 1e-3]");
  run_all();
  submit("[1e-4, 1e-3, 1e-2]");
  run_all();
  State replayed;
  for (const Record& record : records_) replayed.apply(record);
  const std::string text = core_.state().text();
  EXPECT_EQ(replayed.text(), text);
  ASSERT_EQ(races().scouts.size(), 3u);
  for (const auto& [stage, scout] : races().scouts) {
    const std::string& contest = scout.contests.at(0);
    EXPECT_NE(text.find("scout " + stage.text + " of " + scout.cell.text + " by " + scout.spec_id + " in " +
                        contest + " rungs 0@"),
              std::string::npos);
    EXPECT_NE(text.find("field " + contest + " scout " + stage.text), std::string::npos);
  }
}

}  // namespace
}  // namespace ranktide
