#include "common/sweep/number_rule.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ranktide {
namespace {

using PlainKind = PlainValue::Kind;

PlainValue finite(double value) {
  return std::isfinite(value) ? PlainValue{PlainKind::number, value} : PlainValue{};
}

PlainValue condition(bool holds) {
  return {PlainKind::condition, holds ? 1.0 : 0.0};
}

}  // namespace

PlainValue plain_of(const Json& value) {
  constexpr double kWholeMax = 9007199254740992;  // 2^53
  if (value.is_boolean()) return condition(value.get<bool>());
  if (!value.is_number()) return {};
  const auto number = value.get<double>();
  return value.is_number_integer() && std::abs(number) >= kWholeMax ? PlainValue{}
                                                                    : PlainValue{PlainKind::number, number};
}

Json json_of(const PlainValue& value) {
  return value.kind == PlainKind::condition ? Json(value.value != 0) : Json(value.value);
}

std::optional<NumberRule> NumberRule::of(const Expression& rule, const std::vector<std::string>& words) {
  auto root = node_of(rule, words);
  return root ? std::optional(NumberRule(*std::move(root))) : std::nullopt;
}

std::optional<NumberRule::Operation> NumberRule::operation_of(const Expression& e) {
  using enum Operation;
  static const std::map<std::string, Operation> kBinary{
      {"and", both},   {"or", either}, {"=", equal},     {"!=", unequal}, {"<", less},
      {"<=", at_most}, {">", more},    {">=", at_least}, {"+", add},      {"-", subtract},
      {"*", multiply}, {"/", divide},  {"**", power}};
  static const std::map<std::string, Operation> kCalls{
      {"min", min}, {"max", max}, {"sqrt", sqrt}, {"log2", log2}, {"round", round}};
  const auto in = [&](const auto& table) {
    const auto found = table.find(e.text);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  };
  if (e.kind == Expression::Kind::unary) return e.text == "not" ? invert : negate;
  if (e.kind == Expression::Kind::choose) return choose;
  if (e.kind == Expression::Kind::call) return in(kCalls);
  if (e.kind == Expression::Kind::binary) return in(kBinary);
  return std::nullopt;
}

std::optional<NumberRule::Node> NumberRule::node_of(const Expression& e,
                                                    const std::vector<std::string>& words) {
  if (e.kind == Expression::Kind::number) return Node{.operation = Operation::number, .number = e.number};
  if (e.kind == Expression::Kind::word) {
    const auto word = std::find(words.begin(), words.end(), e.text);
    if (word == words.end() || e.text == "true" || e.text == "false") return std::nullopt;
    return Node{.operation = Operation::word, .word = static_cast<size_t>(word - words.begin())};
  }
  const auto operation = operation_of(e);
  if (!operation) return std::nullopt;
  Node out{.operation = *operation};
  for (const Expression& operand : e.operands) {
    auto node = node_of(operand, words);
    if (!node) return std::nullopt;
    out.of.push_back(*std::move(node));
  }
  return out;
}

// Of one operand both sides are the same.
PlainValue NumberRule::joined(Operation operation, const PlainValue& left, const PlainValue& right) {
  const double a = left.value, b = right.value;
  if (left.kind == PlainKind::unknown || left.kind != right.kind) return {};
  if (operation == Operation::equal) return condition(a == b);
  if (operation == Operation::unequal) return condition(a != b);
  if (left.kind == PlainKind::condition)
    return operation == Operation::invert ? condition(a == 0) : PlainValue{};
  switch (operation) {
    case Operation::negate:
      return {PlainKind::number, -a};
    case Operation::less:
      return condition(a < b);
    case Operation::at_most:
      return condition(a <= b);
    case Operation::more:
      return condition(a > b);
    case Operation::at_least:
      return condition(a >= b);
    case Operation::add:
      return finite(a + b);
    case Operation::subtract:
      return finite(a - b);
    case Operation::multiply:
      return finite(a * b);
    case Operation::divide:
      return b == 0 ? PlainValue{} : finite(a / b);
    case Operation::power:
      return finite(std::pow(a, b));
    case Operation::min:
      return {PlainKind::number, std::min(a, b)};
    case Operation::max:
      return {PlainKind::number, std::max(a, b)};
    case Operation::sqrt:
      return finite(std::sqrt(a));
    case Operation::log2:
      return finite(std::log2(a));
    case Operation::round:
      return {PlainKind::number, std::round(a)};
    default:
      return {};
  }
}

}  // namespace ranktide
