#include "coordinator/edge/query_frame.h"

#include "common/vocabulary/wire.h"
#include "coordinator/edge/query_table.h"

namespace ranktide {

namespace {

Json json_of(const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return to_json(*d);
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  return nullptr;
}

// Keys keep the order of the columns, so that a reader's table has them in it too.
nlohmann::ordered_json row_object(const Frame& frame, const std::vector<Value>& row) {
  auto object = nlohmann::ordered_json::object();
  for (size_t c = 0; c < frame.columns.size(); ++c) object[frame.columns[c].name] = json_of(row[c]);
  return object;
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string as_json(const Frame& frame) {
  nlohmann::ordered_json out{{"schema", 1},
                             {"columns", nlohmann::ordered_json::array()},
                             {"rows", nlohmann::ordered_json::array()},
                             {"notes", frame.notes}};
  for (const auto& c : frame.columns)
    out["columns"].push_back(nlohmann::ordered_json{{"name", c.name}, {"type", c.type}, {"unit", c.unit}});
  for (const auto& row : frame.rows) out["rows"].push_back(row_object(frame, row));
  return dump(out) + "\n";
}

std::string as_jsonl(const Frame& frame) {
  std::string out;
  for (const auto& row : frame.rows) out += dump(row_object(frame, row)) + "\n";
  return out;
}

// RFC 4180: a field with a comma, a quote or a line break is quoted, quotes in it are doubled.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string csv_value(const Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return csv_field(*s);
  return std::holds_alternative<std::monostate>(value) ? "" : json_of(value).dump();
}

std::string as_csv(const Frame& frame) {
  std::string out;
  for (const auto& c : frame.columns) out += (out.empty() ? "" : ",") + csv_field(c.name);
  out += "\r\n";
  for (const auto& row : frame.rows) {
    for (size_t c = 0; c < row.size(); ++c) out += (c == 0 ? "" : ",") + csv_value(row[c]);
    out += "\r\n";
  }
  return out;
}

}  // namespace

std::optional<FrameFormat> frame_format(std::string_view name) {
  if (name == "table") return FrameFormat::table;
  if (name == "csv") return FrameFormat::csv;
  if (name == "json") return FrameFormat::json;
  if (name == "jsonl") return FrameFormat::jsonl;
  if (name == "md") return FrameFormat::md;
  return std::nullopt;
}

std::string print(const Frame& frame, FrameFormat format) {
  switch (format) {
    case FrameFormat::csv:
      return as_csv(frame);
    case FrameFormat::json:
      return as_json(frame);
    case FrameFormat::jsonl:
      return as_jsonl(frame);
    case FrameFormat::md:
      return as_markdown(frame);
    case FrameFormat::table:
      break;
  }
  return as_table(frame);
}

}  // namespace ranktide
