// The value of an expression over names; the parser is in expression.cpp.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/sweep/expression.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

using Kind = Expression::Kind;

[[noreturn]] void fail(const Expression& at, const std::string& message) {
  throw ExpressionError(message + " (at column " + std::to_string(at.offset + 1) + ")", at.offset);
}

class Evaluation {
 public:
  explicit Evaluation(const NameLookup& names) : names_(names) {}

  Json value(const Expression& e) const {
    switch (e.kind) {
      case Kind::number:
        return e.number;
      case Kind::text:
        return e.text;
      case Kind::word:
        return word(e);
      case Kind::list:
        fail(e, "a list stands only after `in`");
      case Kind::call:
        return call(e);
      case Kind::unary:
        return e.text == "not" ? Json(!truth(e.operands[0])) : Json(-number(e.operands[0]));
      case Kind::choose:
        return value(truth(e.operands[1]) ? e.operands[0] : e.operands[2]);
      case Kind::binary:
        return binary(e);
    }
    fail(e, "not an expression");
  }

  bool truth(const Expression& e) const {
    const Json out = value(e);
    if (!out.is_boolean()) fail(e, "expected a condition, got " + out.dump());
    return out.get<bool>();
  }

 private:
  Json word(const Expression& e) const {
    if (e.text == "true" || e.text == "false") return e.text == "true";
    if (auto found = names_(e.text)) return *std::move(found);
    fail(e, "unknown name \"" + e.text + "\"" + key_remedy(e.text));
  }

  static std::string without_value(const Expression& e) {
    return e.kind == Kind::word ? "\"" + e.text + "\", which has no value here" : "a setting without a value";
  }

  double number(const Expression& e) const {
    const Json out = value(e);
    if (!out.is_number()) fail(e, "expected a number, got " + (out.is_null() ? without_value(e) : out.dump()));
    return out.get<double>();
  }

  Json finite(const Expression& e, double result) const {
    if (!std::isfinite(result)) fail(e, "the result is not a finite number");
    return result;
  }

  Json call(const Expression& e) const {
    double out = number(e.operands[0]);
    if (e.text == "sqrt") return finite(e, std::sqrt(out));
    if (e.text == "log2") return finite(e, std::log2(out));
    if (e.text == "round") return std::round(out);
    for (const auto& operand : e.operands) {
      const double next = number(operand);
      out = e.text == "min" ? std::min(out, next) : std::max(out, next);
    }
    return out;
  }

  Json binary(const Expression& e) const {
    const auto& [left, right] = std::tie(e.operands[0], e.operands[1]);
    if (e.text == "and") return truth(left) && truth(right);
    if (e.text == "or") return truth(left) || truth(right);
    if (e.text == "=") return equals(left, right);
    if (e.text == "!=") return !equals(left, right);
    if (e.text == "in") return is_among(left, right);
    if (e.text == "not in") return !is_among(left, right);
    if (e.text[0] == '<' || e.text[0] == '>') return ordered(e, left, right);
    return arithmetic(e, number(left), number(right));
  }

  Json arithmetic(const Expression& e, double a, double b) const {
    if (e.text == "+") return finite(e, a + b);
    if (e.text == "-") return finite(e, a - b);
    if (e.text == "*") return finite(e, a * b);
    if (e.text == "**") return finite(e, std::pow(a, b));
    if (b == 0) fail(e, "division by zero");
    return finite(e, a / b);
  }

  // The value of one side of a comparison: a word that is no name is a text beside a name (regime = code).
  Json side(const Expression& e, const Expression& other) const {
    if (e.kind != Kind::word || names_(e.text)) return value(e);
    if (other.kind == Kind::word && !names_(other.text))
      fail(e, "unknown name \"" + e.text + "\"" + key_remedy(e.text));
    const Json other_value = value(other);
    if (other_value.is_boolean() || e.text == "true" || e.text == "false") return value(e);
    return e.text;
  }

  bool equals(const Expression& left, const Expression& right) const {
    return side(left, right) == side(right, left);
  }

  bool is_among(const Expression& item, const Expression& list) const {
    if (list.kind != Kind::list) return equals(item, list);
    return std::any_of(list.operands.begin(), list.operands.end(),
                       [&](auto& entry) { return equals(item, entry); });
  }

  Json ordered(const Expression& e, const Expression& left, const Expression& right) const {
    const Json a = value(left);
    const Json b = value(right);
    if (a.is_null() || b.is_null()) return false;
    if (!a.is_number()) fail(left, "expected a number, got " + a.dump());
    if (!b.is_number()) fail(right, "expected a number, got " + b.dump());
    const double x = a.get<double>();
    const double y = b.get<double>();
    return e.text == "<" ? x < y : e.text == "<=" ? x <= y : e.text == ">" ? x > y : x >= y;
  }

  const NameLookup& names_;
};

}  // namespace

Json evaluate(const Expression& expression, const NameLookup& names) {
  return Evaluation(names).value(expression);
}

bool holds(const Expression& expression, const NameLookup& names) {
  return Evaluation(names).truth(expression);
}

}  // namespace ranktide
