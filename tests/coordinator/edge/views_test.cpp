// The views against brute force, and in the bare sqlite3 shell.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "common/vocabulary/random.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/statistics.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::Contains;
using testing::IsEmpty;

double number(const Value& value) {
  return std::get<double>(value);
}

size_t column_of(const Frame& frame, const std::string& name) {
  for (size_t c = 0; c < frame.columns.size(); ++c)
    if (frame.columns[c].name == name) return c;
  ADD_FAILURE() << "no column " << name;
  return 0;
}

// Returns: what the command writes to standard output.
std::string said_by(const std::string& command) {
  std::string out;
  FILE* const pipe = popen(command.c_str(), "r");
  if (!pipe) return out;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) out.push_back(static_cast<char>(c));
  pclose(pipe);
  return out;
}

constexpr double kBaseLearn = 2.3;
constexpr double kBaseRetain = 3.0;

class ViewsTest : public testing::Test {
 protected:
  ViewsTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
    SplitMix64 random(5);
    for (const int rank : {0, 2, 4, 8})
      for (uint64_t seed = 0; seed < 3; ++seed) {
        const double learn = 2 - 0.1 * rank + 0.05 * random.unit();
        const double retain = 3 + 0.02 * rank + 0.05 * random.unit();
        history.ran({.rank = rank, .seed = seed}, learn, retain);
        losses[rank].push_back({learn, retain});
      }
    history.base_scores(kBaseLearn, kBaseRetain);
  }
  std::vector<double> column(int rank, size_t which) const {
    std::vector<double> out;
    for (const auto& pair : losses.at(rank)) out.push_back(-pair[which]);
    return out;
  }

  TemporaryFolder folder;
  History history;
  std::map<int, std::vector<std::array<double, 2>>> losses;  // learn, retain
};

TEST_F(ViewsTest, CellsEqualBruteForce) {
  Pooled pooled;
  for (const int rank : {2, 4, 8}) pooled.add(spread_of(column(rank, 0)));
  const auto rows =
      history.reader()
          .select(
              "SELECT coalesce(rank, 0), learning, gain, retained, forgetting, learning_ci, learning_ci_own, n"
              " FROM v_cell WHERE sweep='quick' AND final ORDER BY rank")
          .rows;
  ASSERT_EQ(rows.size(), 4U);
  for (const auto& row : rows) {
    const int rank = static_cast<int>(std::get<int64_t>(row[0]));
    const Spread learn = spread_of(column(rank, 0));
    const Spread retain = spread_of(column(rank, 1));
    EXPECT_NEAR(std::get<double>(row[1]), learn.mean, 1e-12);
    EXPECT_NEAR(std::get<double>(row[2]), learn.mean + kBaseLearn, 1e-12);
    EXPECT_NEAR(std::get<double>(row[3]), retain.mean, 1e-12);
    EXPECT_NEAR(std::get<double>(row[4]), -kBaseRetain - retain.mean, 1e-12);
    Pooled own;
    own.add(learn);
    EXPECT_NEAR(std::get<double>(row[5]), *(rank == 0 ? own : pooled).half_width(3), 1e-9);
    EXPECT_NEAR(std::get<double>(row[6]), *own.half_width(3), 1e-9);
    EXPECT_EQ(row[7], Value(int64_t{3}));
  }
}

TEST_F(ViewsTest, CellsEqualTheQuery) {
  for (const std::string metric : {"learning", "gain", "retained", "forgetting"}) {
    const Frame frame = query(history.reader(), {.sweeps = {"quick"}, .metrics = {metric}});
    const auto rows = history.reader()
                          .select("SELECT " + metric + ", " + metric +
                                  "_ci, n FROM v_cell WHERE final ORDER BY coalesce(rank, 0)")
                          .rows;
    ASSERT_EQ(frame.rows.size(), rows.size() + 1);  // and the base
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto& of_query = frame.rows[r + 1];
      EXPECT_NEAR(number(of_query[column_of(frame, metric)]), number(rows[r][0]), 1e-12) << metric;
      EXPECT_NEAR(number(of_query[column_of(frame, metric + "_ci")]), number(rows[r][1]), 1e-9) << metric;
      EXPECT_EQ(of_query[column_of(frame, "n")], rows[r][2]) << metric;
    }
  }
}

TEST_F(ViewsTest, ATrialIsMeasuredAgainstTheBaseThatItsTokenizerReads) {
  const TrialWords other{.rank = 16, .seed = 0, .tokenizer = "/models/other"};
  history.ran(other, 1.5, 3.5);
  history.base_scores(2.0, 4.0, other);
  const auto cells =
      history.reader().select("SELECT gain, forgetting FROM v_cell WHERE rank = 16 AND final").rows;
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_NEAR(number(cells[0][0]), 2.0 - 1.5, 1e-12);
  EXPECT_NEAR(number(cells[0][1]), 3.5 - 4.0, 1e-12);
  std::set<double> bases;
  const Frame frame = query(history.reader(), {.sweeps = {"quick"}});
  for (const auto& row : frame.rows)
    if (row.back() == Value("untouched base")) bases.insert(number(row[column_of(frame, "learning")]));
  EXPECT_EQ(bases, (std::set<double>{-kBaseLearn, -2.0}));
}

// Beyond its table of t the view follows an expansion: close to the exact quantile from the first row on.
TEST_F(ViewsTest, IntervalsBeyondTheTableOfTAreTheQuerys) {
  for (uint64_t seed = 0; seed < 102; ++seed)
    for (const int rank : {32, 64}) {
      const double loss = 1 + 0.01 * static_cast<double>((seed * 37 + static_cast<uint64_t>(rank)) % 101);
      history.ran({.regime = "many", .rank = rank, .seed = seed}, loss, 3 - loss);
    }
  history.base_scores(kBaseLearn, kBaseRetain, {.regime = "many"});
  const auto rows =
      history.reader()
          .select("SELECT df, learning_ci FROM v_cell WHERE regime = 'many' AND rank = 32 AND final")
          .rows;
  ASSERT_EQ(rows.size(), 1U);
  const Frame frame = query(history.reader(), {.sweeps = {"quick"}, .where = "regime = many and rank = 32"});
  EXPECT_EQ(rows[0][0], Value(int64_t{202}));
  EXPECT_NEAR(number(rows[0][1]) / number(frame.rows.at(1)[column_of(frame, "learning_ci")]), 1, 1e-8);
}

TEST_F(ViewsTest, TheFrontHoldsWhatNothingDominates) {
  const auto cells = history.reader().select("SELECT cell, learning, retained FROM v_cell WHERE final").rows;
  std::set<std::string> front;
  for (const auto& a : cells) {
    bool is_dominated = false;
    for (const auto& b : cells)
      is_dominated |=
          std::get<double>(b[1]) > std::get<double>(a[1]) && std::get<double>(b[2]) >= std::get<double>(a[2]);
    if (!is_dominated) front.insert(std::get<std::string>(a[0]));
  }
  std::set<std::string> shown;
  for (const auto& row : history.reader().select("SELECT cell FROM v_pareto").rows)
    shown.insert(std::get<std::string>(row[0]));
  EXPECT_EQ(shown, front);
}

TEST_F(ViewsTest, MissingNamesTheTrialAndTheEvalsItLacks) {
  const SweepTrial trial = history.list({.rank = 4, .seed = 9});
  history.grant(trial);
  history.end(trial, OutcomeKind::diverged, "loss not finite");
  const auto rows = history.reader().select("SELECT trial, state, evals_missing FROM v_missing").rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0][0], Value(trial.id.text));
  EXPECT_EQ(rows[0][1], Value("diverged"));
  EXPECT_EQ(rows[0][2], Value("math_loss, prose_loss"));
}

TEST_F(ViewsTest, TwoSweepsThatShareATrialEachSeeIt) {
  history.submit("other");
  history.list({.rank = 4, .seed = 0});
  const auto rows =
      history.reader().select("SELECT n, learning_ci FROM v_cell WHERE sweep='other' AND final").rows;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0][0], Value(int64_t{1}));
  EXPECT_EQ(rows[0][1], Value{});
}

// Returns: of every view in the table of docs/views.md what stands under `columns`.
std::map<std::string, std::string> documented_views() {
  std::map<std::string, std::string> out;
  std::ifstream document(std::string(RANKTIDE_SOURCE_DIR) + "/docs/views.md");
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("| `v_")) continue;
    const size_t columns = line.rfind(" | ", line.size() - 3) + 3;
    out[line.substr(3, line.find('`', 3) - 3)] = line.substr(columns, line.size() - 2 - columns);
  }
  return out;
}

// Returns: what the document may say of a view, in full, with its beginning left out, or as another view's.
std::vector<std::string> descriptions_of(const std::string& view, const std::string& documented,
                                         const std::function<std::string(const std::string&)>& columns_of) {
  const std::string columns = columns_of(view);
  std::vector<std::string> out{"`" + columns + "`"};
  const size_t cut = documented.find("`... ");
  if (cut != std::string::npos) {
    const std::string shown = documented.substr(cut + 5, documented.size() - cut - 6);
    if (columns.ends_with(" " + shown)) out.push_back(documented);
  }
  const std::string cell = columns_of("v_cell");
  if (columns.starts_with(cell + " "))
    out.push_back("as `v_cell`, and `" + columns.substr(cell.size() + 1) + "`");
  return out;
}

TEST_F(ViewsTest, TheTableInTheirDocumentNamesTheirColumns) {
  const Reader reader = history.reader();
  const auto columns_of = [&](const std::string& view) {
    std::string out;
    for (const auto& name : reader.select("SELECT * FROM " + view + " LIMIT 0").names)
      out += (out.empty() ? "" : " ") + name;
    return out;
  };
  auto documented = documented_views();
  for (const auto& row :
       reader.select("SELECT name FROM sqlite_schema WHERE type='view' AND name LIKE 'v\\_%' ESCAPE '\\'")
           .rows) {
    const auto view = std::get<std::string>(row[0]);
    const std::string said = documented[view];
    EXPECT_THAT(descriptions_of(view, said, columns_of), Contains(said)) << view;
    documented.erase(view);
  }
  EXPECT_THAT(documented, IsEmpty()) << "views that there are not";
}

// Cells of one seed and of several, of two regimes and two sweeps, at a step before the last, and trials that
// are in no mean.
TEST_F(ViewsTest, CellsEqualTheArithmeticOfPythonOverItsBareSqlite3) {
  if (std::system("python3 -c 'import sqlite3' > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "no python3 with sqlite3";
  SplitMix64 random(11);
  const auto loss = [&] { return 1 + 0.3 * random.unit(); };
  for (const auto& [rank, seeds] : std::map<int, uint64_t>{{0, 2}, {2, 1}, {4, 4}, {8, 3}})
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      const SweepTrial trial =
          history.list({.regime = "code", .rank = rank, .seed = seed, .is_evaluated_midway = true});
      history.grant(trial);
      history.midway(trial, loss(), loss());
      if (rank == 4 && seed == 3)
        history.end(trial, OutcomeKind::diverged, "loss not finite");
      else
        history.finish(trial, loss(), loss());
    }
  history.base_scores(2.0, kBaseRetain, {.regime = "code"});
  history.submit("other");
  history.list({.rank = 4, .seed = 0});
  history.ran({.rank = 4, .seed = 7}, loss(), loss());
  history.close();
  EXPECT_EQ(said_by("python3 " RANKTIDE_SOURCE_DIR "/tests/coordinator/edge/check_cells.py '" +
                    database_file(folder.path()).string() + "'"),
            "22 cells\n")
      << "4 and 4 and 1 at their ends, 4 midway, and the base beside the 9";
}

TEST_F(ViewsTest, EveryViewAnswersInTheBareShell) {
  if (std::system("sqlite3 --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no sqlite3 program installed";
  history.close();
  const Reader reader(folder.path());
  for (const auto& row :
       reader.select("SELECT name FROM sqlite_schema WHERE type='view' AND name LIKE 'v\\_%' ESCAPE '\\'")
           .rows) {
    const std::string command = "sqlite3 -readonly '" + database_file(folder.path()).string() +
                                "' 'SELECT * FROM " + std::get<std::string>(row[0]) + "' > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
}

}  // namespace
}  // namespace ranktide
