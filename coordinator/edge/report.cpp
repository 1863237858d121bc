#include "coordinator/edge/report.h"

#include <fmt/format.h>

#include "coordinator/edge/query.h"
#include "coordinator/edge/query_table.h"
#include "coordinator/edge/report_panels.h"
#include "coordinator/edge/report_style.h"

namespace ranktide {

namespace {

std::string text_of_value(const Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("{:g}", *d);
  return "-";
}

std::string fact(const std::string& number, const std::string& what) {
  return fmt::format("<li><b>{}</b>{}</li>", escape_html(number), escape_html(what));
}

// What is known of the sweep as a whole. Every date comes from the database, so that the page is a function of
// it.
std::string header_html(const Reader& reader, const ReportRequest& request) {
  const auto sweep = reader.select(
      "SELECT s.submitted_at, s.revision, r.spec_sha256, s.trials, s.completed, s.diverged, s.failed FROM "
      "v_sweep s"
      " JOIN sweep w ON w.name=s.sweep JOIN revision r ON r.sweep=w.id AND r.n=w.revision WHERE s.sweep=?1",
      {request.sweep});
  const auto cost = reader.select(
      "SELECT count(DISTINCT cell), count(DISTINCT seed), coalesce(sum(seconds), 0.0) FROM v_trial WHERE "
      "sweep=?1",
      {request.sweep});
  const auto& s = sweep.rows.at(0);
  const auto& c = cost.rows.at(0);
  std::string out = fmt::format(
      "<header><h1>{}</h1><p class=\"lead\">learned versus forgotten · submitted {} · revision {} · spec {}",
      escape_html(request.sweep), escape_html(text_of_value(s[0]).substr(0, 19)) + " UTC", text_of_value(s[1]),
      escape_html(text_of_value(s[2]).substr(0, 12)));
  if (!request.program_version.empty()) out += " · ranktide " + escape_html(request.program_version);
  out += "</p><ul class=\"facts\">";
  out += fact(text_of_value(s[4]) + " / " + text_of_value(s[3]), "trials completed");
  out += fact(text_of_value(c[0]), "cells") + fact(text_of_value(c[1]), "seeds");
  out += fact(text_of_value(s[5]), "diverged") + fact(text_of_value(s[6]), "failed");
  out += fact(seconds_text(std::get<double>(c[2])), "training time, summed");
  return out + "</ul></header>\n";
}

std::string table_html(const Frame& frame) {
  const TableText text = table_text(frame);
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  const auto cell = [&](const char* tag, size_t column, const std::string& content) {
    return fmt::format("<{0}{1}>{2}</{0}>", tag, text.is_number[column] ? " class=\"r\"" : "",
                       escape_html(content));
  };
  for (size_t c = 0; c < text.head.size(); ++c) out += cell("th", c, text.head[c]);
  out += "</tr></thead><tbody>\n";
  for (size_t r = 0; r < text.rows.size(); ++r) {
    out += text.rows[r].back() == "untouched base" ? "<tr class=\"base\">" : "<tr>";
    for (size_t c = 0; c < text.head.size(); ++c) out += cell("td", c, text.rows[r][c]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string notes_html(const Frame& frame) {
  std::string out = "<ul class=\"notes\">";
  for (const auto& note : frame.notes) out += "<li>" + escape_html(note) + "</li>";
  return out +
         "<li>square: full finetuning, circle: LoRA; colour: rank and the rest; dash: target; hollow: fewer "
         "than three "
         "seeds; cross: 95 % intervals</li></ul>\n";
}

std::string missing_html(const Reader& reader, const std::string& sweep) {
  const auto found = reader.select(
      "SELECT trial, regime, method, rank, target, lr, seed, state, evals_missing, message FROM v_missing "
      "WHERE sweep=?1",
      {sweep});
  if (found.rows.empty()) return "";
  Frame frame;
  for (const auto& name : found.names)
    frame.columns.push_back({.name = name, .type = "text", .unit = name == "trial" ? "id" : ""});
  frame.rows = found.rows;
  return "<h2>In no mean</h2>\n" + table_html(frame);
}

std::string reproduce_html(const ReportRequest& request) {
  std::string text;
  if (!request.command.empty()) text += request.command + "\n";
  text += "ranktide query " + request.sweep;
  for (const auto& selection : request.select) text += " --select " + selection;
  if (!request.select_on.empty()) text += " --select-on " + request.select_on;
  text += request.keeps_tuned ? " --no-select\n" : "\n";
  text += "sqlite3 ranktide.db \"SELECT * FROM v_cell WHERE sweep='" + request.sweep + "' AND final\"\n";
  return "<h2>Again</h2>\n<pre>" + escape_html(text) + "</pre>\n";
}

// The rows for other programs. "</script" inside a name must not end the element.
std::string data_html(const Frame& frame) {
  std::string json = print(frame, FrameFormat::json);
  for (size_t at = json.find('<'); at != std::string::npos; at = json.find('<', at))
    json.replace(at, 1, "\\u003c");
  return "<script type=\"application/json\" id=\"results\">" + json + "</script>\n";
}

}  // namespace

std::string report_html(const Reader& reader, const ReportRequest& request) {
  const Frame frame = query(reader, {.sweeps = {request.sweep},
                                     .select = request.select,
                                     .select_on = request.select_on,
                                     .keeps_tuned = request.keeps_tuned});
  std::string charts;
  for (const auto& chart : panels_of(frame)) charts += chart_svg(chart);
  std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  out += "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
  out += fmt::format("<title>{}: learned versus forgotten</title><style>{}</style></head><body>\n",
                     escape_html(request.sweep), kReportStyle);
  out += header_html(reader, request);
  out += "<h2>Learning against forgetting</h2>\n";
  out +=
      charts.empty() ? "<p>No cell is complete yet.</p>\n" : "<div class=\"charts\">\n" + charts + "</div>\n";
  out += "<h2>Cells</h2>\n" + table_html(frame) + notes_html(frame);
  out += missing_html(reader, request.sweep) + reproduce_html(request) + data_html(frame);
  return out + "</body></html>\n";
}

}  // namespace ranktide
