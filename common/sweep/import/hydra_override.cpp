#include "common/sweep/import/hydra_override.h"

#include <cmath>

#include "common/sweep/import/flow_text.h"
#include "common/sweep/scalar_text.h"

namespace ranktide {
namespace {

constexpr size_t kRangeValuesMax = 10'000;

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

// Cuts at commas that stand in no quotes and no brackets.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> out(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (c == ')' || c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      out.emplace_back();
      continue;
    }
    out.back() += c;
  }
  for (auto& part : out) part = trimmed(part);
  return out;
}

struct Call {
  std::string name;
  std::vector<std::string> arguments;
};

std::optional<Call> call_of(const std::string& text) {
  const size_t open = text.find('(');
  if (open == std::string::npos || open == 0 || text.back() != ')') return std::nullopt;
  const std::string name = text.substr(0, open);
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) return std::nullopt;
  return Call{name, parts_of(text.substr(open + 1, text.size() - open - 2))};
}

// range(start=1, stop=5) has names, range(1, 5) places.
std::optional<double> number_argument(const Call& call, size_t place, const std::string& name) {
  for (const auto& argument : call.arguments)
    if (argument.starts_with(name + "=")) return read_number(argument.substr(name.size() + 1));
  if (place >= call.arguments.size() || call.arguments[place].find('=') != std::string::npos)
    return std::nullopt;
  return read_number(call.arguments[place]);
}

HydraValue problem(const std::string& why) {
  HydraValue out;
  out.problem = why;
  return out;
}

HydraValue values_of(const std::vector<std::string>& texts, bool is_sweep) {
  HydraValue out;
  out.is_sweep = is_sweep;
  for (const auto& text : texts) try {
      out.values.push_back(flow_node(text));
    } catch (const SpecError&) {
      return problem("the value " + text + " cannot be read");
    }
  return out;
}

// As Python's: the stop is left out.
HydraValue range_values(const Call& call) {
  const bool has_one = call.arguments.size() == 1 && !number_argument(call, 1, "start");
  const double start = has_one ? 0 : number_argument(call, 0, "start").value_or(0);
  const auto stop = number_argument(call, has_one ? 0 : 1, "stop");
  const double step = number_argument(call, 2, "step").value_or(1);
  if (!stop || !(step > 0)) return problem("range takes a start, a stop and a step above 0");
  std::vector<std::string> texts;
  for (size_t i = 0;; ++i) {
    const double value = start + step * static_cast<double>(i);
    if (settled(value) >= *stop) break;
    if (i == kRangeValuesMax)
      return problem("a range has at most " + std::to_string(kRangeValuesMax) + " values here");
    texts.push_back(settled_number(value));
  }
  if (texts.empty()) return problem("the range has no values");
  return values_of(texts, true);
}

HydraValue interval_of(const Call& call, bool is_log) {
  const auto from = number_argument(call, 0, "start"), to = number_argument(call, 1, "end");
  if (!from || !to) return problem("interval takes two numbers");
  HydraValue out;
  out.is_sweep = true;
  out.range = ForeignRange{.min = *from, .max = *to, .is_log = is_log};
  return out;
}

HydraValue called(const Call& call, bool is_log) {
  if (call.name == "choice") return values_of(call.arguments, true);
  if (call.name == "range") return range_values(call);
  if (call.name == "interval") return interval_of(call, is_log);
  if (call.name == "glob") return problem("which configurations it means is in their folder; list them");
  const bool wraps = call.name == "tag" || call.name == "shuffle" || call.name == "sort" ||
                     call.name == "int" || call.name == "float";
  if (!wraps || call.arguments.empty()) return problem("no sweep is written " + call.name + "(...) here");
  // Order means nothing to a grid; of tags, `log` is one that optimizers look at.
  std::vector<std::string> inner = call.arguments;
  bool is_tagged_log = is_log;
  while (call.name == "tag" && inner.size() > 1) {
    is_tagged_log = is_tagged_log || inner.front() == "log";
    inner.erase(inner.begin());
  }
  if (inner.size() > 1 && inner.back().find('=') != std::string::npos) inner.pop_back();  // reverse=true
  if (const auto call_inside = call_of(inner.front()); call_inside && inner.size() == 1)
    return called(*call_inside, is_tagged_log);
  return values_of(inner, inner.size() > 1);
}

}  // namespace

HydraValue read_hydra_value(const std::string& text) {
  const std::string whole = trimmed(text);
  if (const auto call = call_of(whole)) return called(*call, false);
  const auto parts = parts_of(whole);
  return values_of(parts, parts.size() > 1);
}

}  // namespace ranktide
