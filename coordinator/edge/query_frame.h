#pragma once
// A table of results with its footnotes, and the texts it is printed as. Not a query: whoever fills a frame has
// decided what is in it. Plain data, pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/edge/store_sql.h"

namespace ranktide {

struct Column {
  std::string name;
  std::string type;  // "text", "integer" or "number"
  std::string unit;  // "score", "tokens", "s", "bytes", "id"; empty when it has none
  enum class Role {
    plain,
    half_width,  // 95 % half width of the column before it: tables print the two as "mean ±ci"
    detail,      // only in csv, json and jsonl
  };
  Role role = Role::plain;
};

inline Value value_or_null(const std::optional<double>& number) {
  Value value;
  if (number) value = *number;
  return value;
}

struct Frame {
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;  // one value per column
  std::vector<std::string> notes;  // what the numbers are made of and what is missing; printed below a table
};

enum class FrameFormat { table, csv, json, jsonl, md };

// Returns: nullopt for a name that is none of table, csv, json, jsonl, md.
std::optional<FrameFormat> frame_format(std::string_view name);

// Returns: the frame as text that ends in a newline. table and md round a mean to its half width's two digits
// and end with the notes; csv is RFC 4180; json is
// {"schema":1,"columns":[{name,type,unit}],"rows":[{...}],"notes":[...]}; jsonl is one object per row. csv,
// json and jsonl keep full precision; absence is an empty field or null.
std::string print(const Frame& frame, FrameFormat format);

}  // namespace ranktide
