#include "worker/trainer/program/work_reporter.h"

#include <array>
#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>
#include <vector>

#include "common/vocabulary/check.h"
#include "worker/trainer/program/report_pipe.h"

namespace ranktide {
namespace {

// A reporter whose reports can be read back.
class Heard {
 public:
  Heard() {
    std::signal(SIGPIPE, SIG_IGN);
    RT_CHECK(::pipe(ends_.data()) == 0);
  }
  ~Heard() {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  int writer() const { return ends_[1]; }
  std::vector<TrainerReport> take_all() {
    ::close(std::exchange(ends_[1], -1));
    std::string bytes;
    std::array<char, 4096> chunk;
    for (ssize_t n = 0; (n = ::read(ends_[0], chunk.data(), chunk.size())) > 0;)
      bytes.append(chunk.data(), static_cast<size_t>(n));
    std::vector<TrainerReport> reports;
    while (auto report = take_report(bytes)) reports.push_back(*report);
    return reports;
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(WorkReporter, TellsEveryPointOnceAndInOrder) {
  Heard heard;
  ReportPipe pipe(heard.writer());
  WorkReporter reporter(pipe, {UnitId{"u"}, 1}, 300);
  for (Step s = 1; s <= 300; ++s)
    reporter.step({.step = s, .loss = 3, .lr = 1, .grad_norm = 2, .tokens_per_second = 9});
  reporter.flush();
  std::vector<Step> losses;
  for (const TrainerReport& report : heard.take_all())
    if (const auto* found = std::get_if<WorkFound>(&report))
      for (const Point& point : found->findings.points)
        if (point.name == "loss") losses.push_back(point.step);
  ASSERT_EQ(losses.size(), 300u);
  for (size_t i = 0; i < losses.size(); ++i) EXPECT_EQ(losses[i], static_cast<Step>(i) + 1);
}

TEST(WorkReporter, TellsNeitherLossNorGradientOfAStepWithoutLabels) {
  Heard heard;
  ReportPipe pipe(heard.writer());
  WorkReporter reporter(pipe, {UnitId{"u"}, 1}, 2);
  reporter.step({.step = 1, .loss = 3});
  reporter.step({.step = 2, .has_loss = false});
  reporter.phase("loading");
  std::vector<std::string> names;
  double shown = 0;
  for (const TrainerReport& report : heard.take_all()) {
    if (const auto* found = std::get_if<WorkFound>(&report))
      for (const Point& point : found->findings.points)
        if (point.step == 2) names.push_back(point.name);
    if (const auto* progress = std::get_if<WorkProgress>(&report)) shown = progress->progress.loss;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"lr", "tokens_per_second"}));
  EXPECT_EQ(shown, 3);
}

TEST(WorkReporter, GathersPointsIntoFewReports) {
  Heard heard;
  ReportPipe pipe(heard.writer());
  WorkReporter reporter(pipe, {UnitId{"u"}, 1}, 300);
  for (Step s = 1; s <= 300; ++s) reporter.step({.step = s});
  reporter.flush();
  EXPECT_LT(heard.take_all().size(), 30u);
}

TEST(WorkReporter, SendsWhatWasFoundBeforeAnEvalOrCheckpointFirst) {
  Heard heard;
  ReportPipe pipe(heard.writer());
  WorkReporter reporter(pipe, {UnitId{"u"}, 1}, 9);
  reporter.step({.step = 1});  // goes at once: nothing was said before
  reporter.step({.step = 2});
  reporter.eval({.id = EvalId{"e"}, .metric = "loss"});
  reporter.step({.step = 3});
  reporter.checkpoint(3);
  std::string order;
  for (const TrainerReport& report : heard.take_all()) {
    const auto* found = std::get_if<WorkFound>(&report);
    if (!found) continue;
    if (!found->findings.points.empty()) order += "p" + std::to_string(found->findings.points.back().step);
    if (!found->findings.evals.empty()) order += "e";
    if (found->findings.checkpoint) order += "c" + std::to_string(*found->findings.checkpoint);
  }
  EXPECT_EQ(order, "p1p2ep3c3");
}

TEST(WorkReporter, ThrowsWhenNobodyListens) {
  std::array<int, 2> ends{};
  RT_CHECK(::pipe(ends.data()) == 0);
  std::signal(SIGPIPE, SIG_IGN);
  ::close(ends[0]);
  ReportPipe pipe(ends[1]);
  WorkReporter reporter(pipe, {UnitId{"u"}, 1}, 9);
  EXPECT_THROW(reporter.phase("loading"), PipeClosed);
  ::close(ends[1]);
}

}  // namespace
}  // namespace ranktide
