// The report page: what is in it, what must not be.
#include "coordinator/edge/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/edge/query.h"
#include "coordinator/edge/report_chart.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

class ReportTest : public testing::Test {
 protected:
  ReportTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
    for (const uint64_t seed : {0U, 1U}) {
      const double noise = 0.02 * static_cast<double>(seed);
      history.ran({.lr = 5e-5, .seed = seed}, 0.73 + noise, 3.03 + noise);
      history.ran({.rank = 4, .target = "attn", .seed = seed}, 1.60 + noise, 3.02 + noise);
      history.ran({.rank = 32, .seed = seed}, 0.63 + noise, 3.21 + noise);
      history.ran({.regime = "code <script>", .rank = 4, .seed = seed}, 2.83 + noise, 2.98 + noise);
    }
    history.listed();
    history.base_scores(2.31, 3.00);
    history.base_scores(2.96, 3.00, {.regime = "code <script>"});
  }
  std::string page() {
    return report_html(history.reader(),
                       {.sweep = "quick", .command = "ranktide run q.yaml", .program_version = "1"});
  }

  TemporaryFolder folder;
  History history;
};

TEST_F(ReportTest, HasAPanelPerRegimeAndATableTwin) {
  const std::string html = page();
  EXPECT_THAT(html, HasSubstr("<figcaption>math</figcaption>"));
  EXPECT_THAT(html, HasSubstr("<title>lora r32 all lr 0.0005: learning -0.6400"));
  EXPECT_THAT(html, HasSubstr("untouched base: learning -2.3100"));
  EXPECT_THAT(html, HasSubstr("class=\"front\""));
  EXPECT_THAT(html, HasSubstr("<table>"));
  EXPECT_THAT(html, HasSubstr("ranktide run q.yaml"));
}

TEST_F(ReportTest, OfATunedAxisItShowsTheBestAndSaysWhatThatIsWorth) {
  history.tune = Tuning{.axes = {"train.lr"}, .by = ""};
  history.submit("tuned");
  history.ran({.rank = 4, .lr = 1e-4}, 1.60, 3.0);
  history.ran({.rank = 4, .lr = 1e-3}, 1.20, 3.1);
  const auto page_of = [&](bool keeps_tuned) {
    return report_html(history.reader(),
                       {.sweep = "tuned", .command = "", .program_version = "1", .keeps_tuned = keeps_tuned});
  };
  EXPECT_THAT(page_of(false), HasSubstr("lora r4 all lr 0.001"));
  EXPECT_THAT(page_of(false), Not(HasSubstr("lora r4 all lr 0.0001")));
  EXPECT_THAT(page_of(false), HasSubstr("optimistic"));
  EXPECT_THAT(page_of(true), HasSubstr("lora r4 all lr 0.0001"));
  EXPECT_THAT(page_of(true), HasSubstr("ranktide query tuned --no-select"));
}

TEST_F(ReportTest, EscapesEveryName) {
  const std::string html = page();
  EXPECT_THAT(html, HasSubstr("code &lt;script&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("code <script>")));
}

TEST_F(ReportTest, IsAFunctionOfTheDatabase) {
  EXPECT_EQ(page(), page());
}

TEST_F(ReportTest, NeedsNoNetworkAndNoScript) {
  const std::string html = page();
  EXPECT_THAT(html, Not(HasSubstr("http://")));
  EXPECT_THAT(html, Not(HasSubstr("https://")));
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
}

TEST_F(ReportTest, ListsWhatIsInNoMean) {
  const SweepTrial trial = history.list({.rank = 4, .target = "attn", .seed = 2});
  history.grant(trial);
  history.end(trial, OutcomeKind::diverged, "loss not finite at step 5");
  EXPECT_THAT(page(), HasSubstr("loss not finite at step 5"));
}

TEST_F(ReportTest, SaysWhenThereIsNoSuchSweep) {
  EXPECT_THROW(report_html(history.reader(), {.sweep = "other", .command = "", .program_version = ""}),
               SweepNotFound);
}

TEST(ReportChart, StandsWithASingleCellWithoutIntervals) {
  ChartMark mark{.method = "full", .name = "full", .learning = -0.7, .forgetting = 0.0};
  const std::string svg = chart_svg({.title = "math", .base_learning = -0.7, .marks = {mark}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace ranktide
