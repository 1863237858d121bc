#pragma once
// Expressions over settings: `rank >= 16 and target in (all, mlp)`, `2e-4 * sqrt(16 / rank)`. One parser for
// derive, when and exclude in sweep files, for --only and for query --where. The tree is open so that a query
// can turn it into SQL with bound parameters. Pure; nesting and size are bounded.
//
//   expr    := or ['if' or 'else' expr]
//   or      := and ('or' and)*
//   and     := not ('and' not)*
//   not     := 'not' not | compare
//   compare := sum (('=' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in') sum)?
//   sum     := product (('+' | '-') product)*
//   product := sign (('*' | '/') sign)*
//   sign    := '-' sign | power
//   power   := atom ('**' sign)?
//   atom    := number | 'text' | "text" | name | function '(' list ')' | '(' list ')'
//
// A name is a full key or its unique last part. Comparisons do not chain.

#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

// what() says what is wrong and where: `expression "rank >": expected a value after ">" (at column 7)`.
struct ExpressionError : std::runtime_error {
  ExpressionError(const std::string& message, size_t at) : std::runtime_error(message), offset(at) {}
  size_t offset;  // bytes from the start of the expression
};

struct Expression {
  enum class Kind {
    number,  // value
    text,    // value, quoted in the source
    word,    // text is a name or, beside a comparison, one of the other side's values
    list,    // operands
    call,    // text is the function, operands its arguments
    unary,   // text is "-" or "not"
    binary,  // text is one of = != < <= > >= in "not in" and or + - * / **   (== is read as =)
    choose,  // operands: value, condition, otherwise
  };
  Kind kind = Kind::number;
  std::string text;
  double number = 0;
  std::vector<Expression> operands;
  size_t offset = 0;
};

// Throws: ExpressionError. Limits: 4 KiB of UTF-8 without NUL, nesting 64.
Expression parse_expression(std::string_view text);

// Returns: the value of a name (a number, text or bool as JSON), nullopt when there is no such name.
using NameLookup = std::function<std::optional<Json>(const std::string& name)>;

// Evaluates over names. A word that is no name counts as text, where a name stands on the other side of a
// comparison. An absent setting (JSON null) equals nothing and compares false. Throws: ExpressionError for an
// unknown name, a type that does not fit, a division by zero or a result not finite.
Json evaluate(const Expression& expression, const NameLookup& names);

// Evaluates to true or false. Throws: ExpressionError also when the result is neither.
bool holds(const Expression& expression, const NameLookup& names);

// Returns: the words that may be names, in order of appearance, without repeats.
std::vector<std::string> words_of(const Expression& expression);

// One `name = value` (or !=, in, not in) of an expression whose value is a word or text. Of two words each may be
// the name.
struct TextComparison {
  std::string name;
  const Expression* value;  // into the expression
};
// Returns: all of them, so that a caller who knows the legal values can refuse `target = atn`.
std::vector<TextComparison> text_comparisons(const Expression& expression);

}  // namespace ranktide
