#include "coordinator/edge/query_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "common/vocabulary/readable.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

namespace {

constexpr int kDecimalsWithoutWidth = 3;
constexpr const char* kAbsent = "-";

std::optional<double> number_of(const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  return std::nullopt;
}

std::string scaled_text(double value, double step, std::initializer_list<const char*> suffixes) {
  auto suffix = suffixes.begin();
  while (std::abs(value) >= step && suffix + 1 != suffixes.end()) {
    value /= step;
    ++suffix;
  }
  return std::abs(value) >= 100 || suffix == suffixes.begin() ? fmt::format("{:.0f}{}", value, *suffix)
                                                              : fmt::format("{:.1f}{}", value, *suffix);
}

// A number without a half width of its own; `decimals` are those of its column, for scores.
std::string number_text(double value, const std::string& unit, int decimals) {
  if (unit == "score") return fmt::format("{:.{}f}", value, decimals);
  if (unit == "s") return seconds_text(value);
  if (unit == "bytes") return scaled_text(value, 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
  if (unit == "tokens") return scaled_text(value, 1000, {"", "k", "M", "B"});
  return Json(value).dump();  // shortest text that reads back equal
}

std::string plain_text(const Value& value, const Column& column, int decimals) {
  if (const auto* s = std::get_if<std::string>(&value)) {
    return column.unit == "id" ? s->substr(0, 12) : *s;
  }
  if (const auto* i = std::get_if<int64_t>(&value); i && column.unit.empty()) return std::to_string(*i);
  const auto number = number_of(value);
  return number ? number_text(*number, column.unit, decimals) : kAbsent;
}

bool has_half_width(const Frame& frame, size_t column) {
  return column + 1 < frame.columns.size() && frame.columns[column + 1].role == Column::Role::half_width;
}

// What a value without a half width is rounded to: as fine as the finest of its column.
int column_decimals(const Frame& frame, size_t column) {
  int decimals = kDecimalsWithoutWidth;
  if (!has_half_width(frame, column)) return decimals;
  for (const auto& row : frame.rows)
    if (const auto width = number_of(row[column + 1]); width && *width > 0)
      decimals = std::max(decimals, decimals_for(*width));
  return std::min(decimals, 6);
}

std::string cell_text(const Frame& frame, const std::vector<Value>& row, size_t column, int decimals) {
  const auto mean = number_of(row[column]);
  if (!has_half_width(frame, column) || !mean) return plain_text(row[column], frame.columns[column], decimals);
  const auto width = number_of(row[column + 1]);
  if (!width) return number_text(*mean, frame.columns[column].unit, decimals);
  const int own = *width > 0 ? decimals_for(*width) : decimals;
  return fmt::format("{:.{}f} ±{:.{}f}", *mean, own, *width, own);
}

size_t width_of(const std::string& utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool on_the_right) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return on_the_right ? space + text : text + space;
}

std::string aligned_line(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                         const std::vector<bool>& is_number) {
  std::string line;
  for (size_t c = 0; c < cells.size(); ++c)
    line += (c == 0 ? "" : "  ") + padded(cells[c], widths[c], is_number[c]);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string markdown_line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const auto& cell : cells) {
    line += ' ';
    for (const char c : cell) line += c == '|' ? "\\|" : std::string(1, c);
    line += " |";
  }
  return line + "\n";
}

}  // namespace

int decimals_for(double half_width) {
  if (!(half_width > 0) || !std::isfinite(half_width)) return kDecimalsWithoutWidth;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(half_width))), 0, 9);
}

std::string seconds_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return duration_text(seconds);
}

TableText table_text(const Frame& frame) {
  TableText out{.head = {}, .is_number = {}, .rows = std::vector<std::vector<std::string>>(frame.rows.size())};
  for (size_t c = 0; c < frame.columns.size(); ++c) {
    const auto& column = frame.columns[c];
    if (column.role != Column::Role::plain) continue;
    out.head.push_back(column.name);
    out.is_number.push_back(column.type != "text");
    const int decimals = column_decimals(frame, c);
    for (size_t r = 0; r < frame.rows.size(); ++r)
      out.rows[r].push_back(cell_text(frame, frame.rows[r], c, decimals));
  }
  return out;
}

std::string as_table(const Frame& frame) {
  const TableText text = table_text(frame);
  std::vector<size_t> widths;
  for (size_t c = 0; c < text.head.size(); ++c) {
    widths.push_back(width_of(text.head[c]));
    for (const auto& row : text.rows) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string out = aligned_line(text.head, widths, text.is_number);
  for (const auto& row : text.rows) out += aligned_line(row, widths, text.is_number);
  for (const auto& note : frame.notes) out += note + "\n";
  return out;
}

std::string as_markdown(const Frame& frame) {
  const TableText text = table_text(frame);
  std::string out = markdown_line(text.head) + "|";
  for (const bool is_number : text.is_number) out += is_number ? " ---: |" : " --- |";
  out += "\n";
  for (const auto& row : text.rows) out += markdown_line(row);
  if (!frame.notes.empty()) out += "\n";
  for (const auto& note : frame.notes) out += "- " + note + "\n";
  return out;
}

}  // namespace ranktide
