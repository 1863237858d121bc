#include "coordinator/edge/report_panels.h"

#include <algorithm>
#include <map>

#include "common/vocabulary/check.h"
#include "coordinator/edge/query_table.h"
#include "coordinator/edge/report_style.h"

namespace ranktide {

namespace {

// In the order in which they are told apart best beside each other; the grey comes last.
constexpr int kPaletteOrder[kPaletteSize] = {5, 4, 3, 1, 6, 2, 7, 0};

class Rows {
 public:
  explicit Rows(const Frame& frame) : frame_(frame) {
    for (size_t c = 0; c < frame.columns.size(); ++c) column_[frame.columns[c].name] = c;
  }
  const Value& value(size_t row, const std::string& column) const {
    return frame_.rows[row][column_.at(column)];
  }
  std::string text(size_t row, const std::string& column) const {
    if (!column_.contains(column)) return "";
    const auto* s = std::get_if<std::string>(&value(row, column));
    return s ? *s : "";
  }
  std::optional<double> number(size_t row, const std::string& column) const {
    const auto* d = std::get_if<double>(&value(row, column));
    return d ? std::optional(*d) : std::nullopt;
  }

 private:
  const Frame& frame_;
  std::map<std::string, size_t> column_;
};

// "lora r32 all lr 0.0005": every axis but the regime, which the panel says.
std::vector<std::string> names_of(const Frame& frame) {
  Frame axes;
  std::vector<size_t> kept;
  for (size_t c = 0; c < frame.columns.size() && frame.columns[c].name != "n"; ++c) {
    if (frame.columns[c].name == "regime") continue;
    kept.push_back(c);
    axes.columns.push_back(frame.columns[c]);
  }
  for (const auto& row : frame.rows) {
    auto& short_row = axes.rows.emplace_back();
    for (const size_t c : kept) short_row.push_back(row[c]);
  }
  const TableText text = table_text(axes);
  std::vector<std::string> names;
  for (const auto& row : text.rows) {
    std::string name;
    for (size_t c = 0; c < row.size(); ++c) {
      if (row[c] == "-") continue;
      const std::string& head = text.head[c];
      const std::string prefix =
          head == "rank" ? "r" : (head == "method" || head == "target" ? "" : head + " ");
      name += (name.empty() ? "" : " ") + prefix + row[c];
    }
    names.push_back(name);
  }
  return names;
}

bool dominates(const ChartMark& a, const ChartMark& b) {
  return a.learning >= b.learning && a.forgetting <= b.forgetting &&
         (a.learning > b.learning || a.forgetting < b.forgetting);
}

void mark_front(Chart& chart) {
  for (auto& m : chart.marks)
    m.is_on_front = std::none_of(chart.marks.begin(), chart.marks.end(),
                                 [&](const ChartMark& o) { return dominates(o, m); });
}

ChartMark mark_of(const Rows& rows, size_t r, const std::string& name, int colour) {
  const auto* n = std::get_if<int64_t>(&rows.value(r, "n"));
  RT_CHECK(n != nullptr);
  return {.method = rows.text(r, "method"),
          .name = name,
          .colour = colour,
          .is_hollow = *n < 3,
          .learning = *rows.number(r, "learning"),
          .forgetting = *rows.number(r, "forgetting"),
          .learning_ci = rows.number(r, "learning_ci"),
          .forgetting_ci = rows.number(r, "forgetting_ci"),
          .n = *n};
}

}  // namespace

std::vector<Chart> panels_of(const Frame& frame) {
  const Rows rows(frame);
  const auto names = names_of(frame);
  std::vector<Chart> charts;
  std::map<std::string, size_t> chart_of_regime;
  std::map<std::string, int> colours;  // the same setting has the same colour in every panel
  for (size_t r = 0; r < frame.rows.size(); ++r) {
    const std::string regime = rows.text(r, "regime");
    const auto [it, is_new] = chart_of_regime.try_emplace(regime, charts.size());
    if (is_new)
      charts.push_back({.title = regime.empty() ? "all trials" : regime, .base_learning = {}, .marks = {}});
    Chart& chart = charts[it->second];
    if (rows.text(r, "method") == "base") {
      chart.base_learning = rows.number(r, "learning");
      continue;
    }
    if (!rows.number(r, "learning") || !rows.number(r, "forgetting")) continue;
    const auto colour =
        colours.try_emplace(names[r], kPaletteOrder[colours.size() % kPaletteSize]).first->second;
    chart.marks.push_back(mark_of(rows, r, names[r], colour));
  }
  std::erase_if(charts, [](const Chart& c) { return c.marks.empty(); });
  for (auto& chart : charts) mark_front(chart);
  return charts;
}

}  // namespace ranktide
