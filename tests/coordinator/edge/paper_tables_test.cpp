// The published tables of "LoRA Learns Less and Forgets Less" (Biderman et al. 2024, arXiv 2405.09673 v2) as
// results of ours: what is known of them has to come out of the views. paper_tables.txt: a line per table, as
// id;domain;form;metric;role;budget unit;budgets;r16;r64;r256;full.
#include <array>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::UnorderedElementsAreArray;

constexpr std::array<int, 4> kRanks{16, 64, 256, 0};  // as the tables' columns; 0: full

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) out.push_back(part);
  return out;
}

struct PaperTable {
  std::vector<std::string> budgets;
  std::array<std::vector<double>, 4> scores;  // beside kRanks, by budget
};

std::map<std::string, PaperTable> paper_tables() {
  std::map<std::string, PaperTable> out;
  std::ifstream file(std::string(RANKTIDE_SOURCE_DIR) + "/tests/coordinator/edge/paper_tables.txt");
  for (std::string line; std::getline(file, line);) {
    const auto parts = split(line, ';');
    PaperTable& table = out[parts.at(0)];
    table.budgets = split(parts.at(6), ',');
    for (size_t r = 0; r < kRanks.size(); ++r)
      for (const auto& score : split(parts.at(7 + r), ',')) table.scores[r].push_back(std::stod(score));
  }
  return out;
}

class PaperTables : public testing::Test {
 protected:
  PaperTables() : history(folder.path()) {
    history.begin();
    history.submit("paper");
  }
  // A regime's two tables; the budget enters as the batch, by which cells are told apart too. A loss enters
  // scores as minus its value.
  void publish(const std::string& regime, const PaperTable& learn, const PaperTable& retain) {
    for (size_t r = 0; r < kRanks.size(); ++r)
      for (size_t b = 0; b < learn.budgets.size(); ++b) {
        const SweepTrial trial =
            history.ran({.regime = regime, .rank = kRanks[r], .batch = static_cast<int>(b) + 1},
                        -learn.scores[r][b], -retain.scores[r][b]);
        names[trial.cell.text] =
            (kRanks[r] > 0 ? "r" + std::to_string(kRanks[r]) : "full") + "@" + learn.budgets[b];
      }
    history.base_scores(0, 0, {.regime = regime});
  }
  std::vector<std::string> front_of(const std::string& regime) {
    std::vector<std::string> out;
    for (const auto& row : history.reader().select("SELECT cell FROM v_pareto WHERE regime=?1", {regime}).rows)
      out.push_back(names.at(std::get<std::string>(row[0])));
    return out;
  }
  // Returns: the mean over budgets, beside kRanks.
  std::array<double, 4> means(const std::string& regime, const std::string& metric) {
    std::array<double, 4> out{};
    for (size_t r = 0; r < kRanks.size(); ++r)
      out[r] =
          std::get<double>(history.reader()
                               .select("SELECT avg(" + metric +
                                           ") FROM v_cell WHERE final AND regime=?1 AND coalesce(rank, 0)=?2",
                                       {regime, int64_t{kRanks[r]}})
                               .rows.at(0)
                               .at(0));
    return out;
  }

  TemporaryFolder folder;
  History history;
  std::map<std::string, std::string> names;  // cell -> "r64@2"
  std::map<std::string, PaperTable> tables = paper_tables();
};

// Kendall's tau of the values with their own order: 1 where each is above the one before, -1 where below.
double kendall_tau(const std::array<double, 4>& values) {
  int agreeing = 0;
  int pairs = 0;
  for (size_t a = 0; a < values.size(); ++a)
    for (size_t b = a + 1; b < values.size(); ++b, ++pairs)
      agreeing += (values[b] > values[a]) - (values[b] < values[a]);
  return static_cast<double>(agreeing) / pairs;
}

int adjacent_pairs_out_of_order(const PaperTable& table, int direction) {
  int out = 0;
  for (size_t b = 0; b < table.budgets.size(); ++b)
    for (size_t r = 0; r + 1 < kRanks.size(); ++r)
      out += direction * (table.scores[r + 1][b] - table.scores[r][b]) <= 0;
  return out;
}

TEST_F(PaperTables, TheirFrontsAreTheKnownOnes) {
  publish("code cpt", tables.at("S1"), tables.at("S2"));
  publish("math cpt", tables.at("S3"), tables.at("S4"));
  publish("code ift", tables.at("S5"), tables.at("S6"));
  publish("math ift", tables.at("S7"), tables.at("S8"));
  const std::map<std::string, std::vector<std::string>> known{
      {"code ift", {"r256@2", "r64@4", "r256@4"}},
      {"math ift", {"r16@1", "r16@2", "r16@4", "r64@2", "r64@4", "full@2", "full@4"}},
      {"code cpt",
       {"r64@2", "r16@4", "r16@8", "r16@16", "r64@8", "r256@8", "r256@16", "r256@20", "full@8", "full@20"}},
      {"math cpt", {"r16@1", "r16@4", "r64@.5", "r64@16", "r256@4", "full@4", "full@8", "full@20"}}};
  for (const auto& [regime, front] : known)
    EXPECT_THAT(front_of(regime), UnorderedElementsAreArray(front)) << regime;
}

// Rule 10 of the statistics: more rank learns more and forgets more in the mean over budgets, and not in every
// cell.
TEST_F(PaperTables, OrderingsHoldOfMeansOverBudgetsAndNotOfEveryCell) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"S1", "S2"}, {"S3", "S4"}, {"S5", "S6"}, {"S7", "S8"}};
  int cells_out_of_order = 0;
  for (const auto& [learn, retain] : pairs) {
    publish(learn, tables.at(learn), tables.at(retain));
    EXPECT_EQ(kendall_tau(means(learn, "learning")), 1) << learn;
    EXPECT_EQ(kendall_tau(means(learn, "retained")), -1) << retain;
    cells_out_of_order +=
        adjacent_pairs_out_of_order(tables.at(learn), 1) + adjacent_pairs_out_of_order(tables.at(retain), -1);
  }
  EXPECT_EQ(cells_out_of_order, 28) << "of 156 adjacent pairs of cells";
}

// Of the Tulu runs no ordering may be claimed.
TEST_F(PaperTables, WhereMethodsAreAboutEqualMeansHaveNoOrder) {
  publish("S10", tables.at("S10"), tables.at("S13"));
  publish("S11", tables.at("S11"), tables.at("S13"));
  publish("S12", tables.at("S12"), tables.at("S13"));
  EXPECT_NEAR(kendall_tau(means("S10", "learning")), 2. / 3, 1e-12);
  EXPECT_NEAR(kendall_tau(means("S11", "learning")), 0, 1e-12);
  EXPECT_NEAR(kendall_tau(means("S12", "learning")), 2. / 3, 1e-12);
  EXPECT_NEAR(kendall_tau(means("S10", "retained")), -2. / 3, 1e-12);
}

}  // namespace
}  // namespace ranktide
