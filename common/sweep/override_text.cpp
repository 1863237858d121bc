#include "common/sweep/override_text.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/sweep/scalar_text.h"
#include "common/sweep/spec_error.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {
namespace {

struct Brackets {
  bool comma_outside = false;
  int open = 0;  // at the end
};

Brackets brackets_of(const std::string& text) {
  Brackets out;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0)
      quote = c == quote ? '\0' : quote;
    else if (c == '\'' || c == '"')
      quote = c;
    else if (c == '[' || c == '{')
      ++out.open;
    else if (c == ']' || c == '}')
      --out.open;
    else if (c == ',' && out.open == 0)
      out.comma_outside = true;
  }
  return out;
}

bool takes_arguments(const std::string& value, const std::string& function) {
  return value.starts_with(function + "(") && value.ends_with(")");
}

std::string arguments_of(const std::string& value, const std::string& function) {
  return value.substr(function.size() + 1, value.size() - function.size() - 2);
}

std::optional<double> number_in(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (const auto number = read_number(text)) return number;
  const auto count = read_count(text);  // 1k
  return count ? std::optional(static_cast<double>(*count)) : std::nullopt;
}

// range(0,3) is 0, 1, 2 and range(1,10,4) is 1, 5, 9, as in Hydra and Python.
std::string range_values(const Override& o) {
  std::vector<double> numbers;
  for (const auto& part : split_at(arguments_of(o.value, "range"), ',')) {
    const auto number = number_in(part);
    if (!number) refuse_override(o, "range takes whole or decimal numbers: range(0,3) or range(1,10,4)");
    numbers.push_back(*number);
  }
  if (numbers.size() < 2 || numbers.size() > 3)
    refuse_override(o, "range takes two or three numbers: range(0,3), range(1,10,4)");
  const double step = numbers.size() == 3 ? numbers[2] : 1;
  if (!(step > 0) || numbers[1] <= numbers[0])
    refuse_override(o,
                    "range has no values; its end has to be above its start and its step above 0: range(0,3)");
  constexpr double kNearWhole = 1e-9;  // range(0,0.3,0.1) has three values and not four
  const double count = std::ceil((numbers[1] - numbers[0]) / step - kNearWhole);
  if (!(count <= static_cast<double>(kAxisPointsMax))) refuse_override(o, "range has more than 10,000 values");
  std::string out;
  for (int i = 0; i < static_cast<int>(count); ++i)
    out += (out.empty() ? "" : ", ") + settled_number(numbers[0] + step * i);
  return out;
}

}  // namespace

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator)
      out.emplace_back();
    else
      out.back().push_back(c);
  }
  return out;
}

void refuse_override(const Override& o, const std::string& message) {
  throw SpecError(o.name + ": " + message);
}

Override override_of(std::string text) {
  Override out{.name = "override \"" + text + "\"", .block = "", .key = "", .value = ""};
  while (text.starts_with('+')) text.erase(0, 1);
  out.drops = text.starts_with('~');
  if (out.drops) text.erase(0, 1);
  const size_t equals = out.drops ? text.size() : text.find('=');
  if (equals == std::string::npos || equals == 0)
    refuse_override(out, "expected key=value, ~key or block:key=value");
  out.key = text.substr(0, equals);
  if (!out.drops) out.value = text.substr(equals + 1);
  if (const size_t colon = out.key.find(':'); colon != std::string::npos) {
    out.block = out.key.substr(0, colon);
    out.key = out.key.substr(colon + 1);
  }
  return out;
}

std::string yaml_of(const Override& o) {
  if (takes_arguments(o.value, "choice")) return "{values: [" + arguments_of(o.value, "choice") + "]}";
  if (takes_arguments(o.value, "range")) return "{values: [" + range_values(o) + "]}";
  for (const char* function : {"interval", "glob", "sort", "shuffle", "tag"})  // Hydra has them
    if (takes_arguments(o.value, function))
      refuse_override(o,
                      std::string(function) +
                          " is not known here; there are choice(a,b) and range(0,3), and in a file   search: "
                          "{random: 40}");
  const Brackets brackets = brackets_of(o.value);
  if (brackets.open > 0 && (o.value[0] == '[' || o.value[0] == '{'))
    refuse_override(o, std::string("the ") + o.value[0] + " is not closed");
  return brackets.comma_outside ? "{values: [" + o.value + "]}" : o.value;
}

}  // namespace ranktide
