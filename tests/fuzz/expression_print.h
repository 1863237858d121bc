#pragma once
// An expression as text that parses to the same tree: what the fuzzer and the property tests hold the parser
// to. Every operation stands in parentheses, so that no precedence is needed to read it.

#include <string>

#include "common/sweep/expression.h"
#include "common/sweep/scalar_text.h"

namespace ranktide {

inline std::string printed(const Expression& e);

inline std::string printed_list(const std::vector<Expression>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + printed(item);
  return out;
}

inline std::string printed(const Expression& e) {
  using Kind = Expression::Kind;
  switch (e.kind) {
    case Kind::number:
      return short_number(e.number);
    case Kind::text: {
      const char quote = e.text.find('\'') == std::string::npos ? '\'' : '"';
      return quote + e.text + quote;
    }
    case Kind::word:
      return e.text;
    case Kind::list:
      return "(" + printed_list(e.operands) + ")";
    case Kind::call:
      return e.text + "(" + printed_list(e.operands) + ")";
    case Kind::unary:
      return "(" + e.text + " " + printed(e.operands[0]) + ")";
    case Kind::binary:
      return "(" + printed(e.operands[0]) + " " + e.text + " " + printed(e.operands[1]) + ")";
    case Kind::choose:
      return "(" + printed(e.operands[0]) + " if " + printed(e.operands[1]) + " else " +
             printed(e.operands[2]) + ")";
  }
  return "";
}

// Whether two expressions are one tree; where they stood in their texts, and how numbers were written, is no
// part.
inline bool is_same_tree(const Expression& a, const Expression& b) {
  const bool same_text = a.kind == Expression::Kind::number ? a.number == b.number : a.text == b.text;
  if (a.kind != b.kind || !same_text || a.operands.size() != b.operands.size()) return false;
  for (size_t i = 0; i < a.operands.size(); ++i)
    if (!is_same_tree(a.operands[i], b.operands[i])) return false;
  return true;
}

}  // namespace ranktide
