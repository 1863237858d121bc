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

struct CellName {
  std::string full;            // "lora r32 all lr 0.0005": every axis but the regime, which the panel says
  std::string without_target;  // the same colour in every panel
  std::string target;          // the same dash
};

void append_word(std::string& name, const std::string& word) {
  name += (name.empty() ? "" : " ") + word;
}

CellName name_of(const std::vector<std::string>& head, const std::vector<std::string>& cells) {
  CellName name;
  for (size_t c = 0; c < head.size(); ++c) {
    if (cells[c] == "-" || head[c] == "regime") continue;
    const bool is_bare = head[c] == "method" || head[c] == "target";
    const std::string word = head[c] == "rank" ? "r" + cells[c] : (is_bare ? "" : head[c] + " ") + cells[c];
    append_word(name.full, word);
    if (head[c] == "target")
      name.target = cells[c];
    else
      append_word(name.without_target, word);
  }
  return name;
}

// The axes are the columns before n.
std::vector<CellName> names_of(const Frame& frame) {
  const auto is_n = [](const Column& c) { return c.name == "n"; };
  const auto axes = std::find_if(frame.columns.begin(), frame.columns.end(), is_n) - frame.columns.begin();
  Frame only_axes{.columns = {frame.columns.begin(), frame.columns.begin() + axes}, .rows = {}, .notes = {}};
  for (const auto& row : frame.rows) only_axes.rows.emplace_back(row.begin(), row.begin() + axes);
  const TableText text = table_text(only_axes);
  std::vector<CellName> names;
  for (const auto& row : text.rows) names.push_back(name_of(text.head, row));
  return names;
}

// Gives each key the next number, and the same one when it comes again.
class Numbers {
 public:
  int of(const std::string& key) {
    return known_.try_emplace(key, static_cast<int>(known_.size())).first->second;
  }

 private:
  std::map<std::string, int> known_;
};

bool dominates(const ChartMark& a, const ChartMark& b) {
  return a.learning >= b.learning && a.forgetting <= b.forgetting &&
         (a.learning > b.learning || a.forgetting < b.forgetting);
}

void mark_front(Chart& chart) {
  for (auto& m : chart.marks)
    m.is_on_front = std::none_of(chart.marks.begin(), chart.marks.end(),
                                 [&](const ChartMark& o) { return dominates(o, m); });
}

ChartMark mark_of(const Rows& rows, size_t r, const std::string& name) {
  const auto* n = std::get_if<int64_t>(&rows.value(r, "n"));
  RT_CHECK(n != nullptr);
  return {.method = rows.text(r, "method"),
          .name = name,
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
  Numbers colours;
  Numbers dashes;
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
    ChartMark mark = mark_of(rows, r, names[r].full);
    mark.colour = kPaletteOrder[colours.of(names[r].without_target) % kPaletteSize];
    mark.dash = names[r].target.empty() ? 0 : dashes.of(names[r].target) % kDashes;
    chart.marks.push_back(std::move(mark));
  }
  std::erase_if(charts, [](const Chart& c) { return c.marks.empty(); });
  for (auto& chart : charts) mark_front(chart);
  return charts;
}

}  // namespace ranktide
