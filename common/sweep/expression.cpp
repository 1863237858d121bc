#include "common/sweep/expression.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "common/sweep/scalar_text.h"
#include "common/sweep/text_bytes.h"

namespace ranktide {
namespace {

constexpr size_t kTextBytesMax = 4096;
constexpr int kNestingMax = 64;
constexpr std::array<std::string_view, 5> kFunctions{"min", "max", "sqrt", "log2", "round"};
constexpr std::array<std::string_view, 6> kReserved{"and", "or", "not", "in", "if", "else"};

struct Token {
  enum class Kind { number, text, word, sign, end };
  Kind kind = Kind::end;
  std::string text;
  size_t offset = 0;
};

[[noreturn]] void fail(std::string_view source, size_t offset, const std::string& message) {
  throw ExpressionError("expression \"" + std::string(beginning(source, 80)) + "\": " + message +
                            " (at column " + std::to_string(offset + 1) + ")",
                        offset);
}

bool starts_word(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
// A dash is no part of a word: a - b is a difference. Write 'my-label' in quotes.
bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Token next() {
    while (at_ < source_.size() && std::isspace(static_cast<unsigned char>(source_[at_]))) ++at_;
    if (at_ == source_.size()) return {Token::Kind::end, "the end", at_};
    const char c = source_[at_];
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') return number();
    if (starts_word(c)) return word();
    if (c == '\'' || c == '"') return quoted(c);
    return sign();
  }

 private:
  Token number() {
    const size_t start = at_;
    while (at_ < source_.size() && (in_word(source_[at_]) || is_exponent_sign(start))) ++at_;
    if (at_ < source_.size() && source_[at_] == '%') ++at_;
    return {Token::Kind::number, std::string(source_.substr(start, at_ - start)), start};
  }
  bool is_exponent_sign(size_t start) const {
    const bool after_e = at_ > start && (source_[at_ - 1] == 'e' || source_[at_ - 1] == 'E');
    return after_e && (source_[at_] == '-' || source_[at_] == '+');
  }
  Token word() {
    const size_t start = at_;
    while (at_ < source_.size() && in_word(source_[at_])) ++at_;
    return {Token::Kind::word, std::string(source_.substr(start, at_ - start)), start};
  }
  Token quoted(char quote) {
    const size_t start = at_;
    const size_t end = source_.find(quote, start + 1);
    if (end == std::string_view::npos) fail(source_, start, "a quote that is not closed");
    at_ = end + 1;
    return {Token::Kind::text, std::string(source_.substr(start + 1, end - start - 1)), start};
  }
  Token sign() {
    constexpr std::array<std::string_view, 16> kSigns{"**", "==", "!=", "<=", ">=", "=", "<", ">",
                                                      "+",  "-",  "*",  "/",  "(",  ")", ",", ""};
    for (const auto text : kSigns) {
      if (text.empty() || !source_.substr(at_).starts_with(text)) continue;
      const size_t start = at_;
      at_ += text.size();
      return {Token::Kind::sign, std::string(text), start};
    }
    fail(source_, at_, "unexpected \"" + std::string(beginning(source_.substr(at_), 1)) + "\"");
  }

  std::string_view source_;
  size_t at_ = 0;
};

// Recursive descent; each level of precedence is one function, in the order of the header's grammar.
class Parser {
 public:
  explicit Parser(std::string_view source) : source_(source), lexer_(source) { advance(); }

  Expression whole() {
    Expression out = choice();
    if (token_.kind != Token::Kind::end) fail(source_, token_.offset, "unexpected \"" + token_.text + "\"");
    return out;
  }

 private:
  struct Nested {  // counts nesting while a parenthesis or a sign is open
    explicit Nested(Parser& p) : parser(p) {
      if (++parser.nesting_ > kNestingMax)
        fail(parser.source_, parser.token_.offset, "nested deeper than 64 levels");
    }
    ~Nested() { --parser.nesting_; }
    Nested(const Nested&) = delete;
    Parser& parser;
  };

  void advance() {
    previous_ = token_.text;
    token_ = lexer_.next();
  }
  bool is_sign(std::string_view text) const { return token_.kind == Token::Kind::sign && token_.text == text; }
  bool is_word(std::string_view text) const { return token_.kind == Token::Kind::word && token_.text == text; }
  bool take_sign(std::string_view text) { return is_sign(text) && (advance(), true); }
  bool take_word(std::string_view text) { return is_word(text) && (advance(), true); }
  void expect_sign(std::string_view text) {
    if (!take_sign(text))
      fail(source_, token_.offset, "expected \"" + std::string(text) + "\", got " + token_.text);
  }

  static Expression joined(std::string text, Expression left, Expression right, size_t offset) {
    Expression out{.kind = Expression::Kind::binary, .text = std::move(text), .operands = {}, .offset = offset};
    out.operands.push_back(std::move(left));
    out.operands.push_back(std::move(right));
    return out;
  }

  Expression choice() {
    const Nested nested(*this);
    Expression value = either();
    if (!is_word("if")) return value;
    Expression out{.kind = Expression::Kind::choose, .text = "if", .operands = {}, .offset = token_.offset};
    advance();
    out.operands.push_back(std::move(value));
    out.operands.push_back(either());
    if (!take_word("else")) fail(source_, token_.offset, "an `if` needs its `else`");
    out.operands.push_back(choice());
    return out;
  }

  Expression either() {
    Expression left = both();
    for (size_t at = token_.offset; take_word("or"); at = token_.offset)
      left = joined("or", std::move(left), both(), at);
    return left;
  }

  Expression both() {
    Expression left = negation();
    for (size_t at = token_.offset; take_word("and"); at = token_.offset)
      left = joined("and", std::move(left), negation(), at);
    return left;
  }

  Expression negation() {
    const Nested nested(*this);
    if (!is_word("not")) return comparison();
    Expression out{.kind = Expression::Kind::unary, .text = "not", .operands = {}, .offset = token_.offset};
    advance();
    out.operands.push_back(negation());
    return out;
  }

  // Returns: the comparison at the current token, taken; "" when there is none.
  std::string take_comparison() {
    for (const std::string_view text : {"==", "=", "!=", "<=", "<", ">=", ">"})
      if (take_sign(text)) return text == "==" ? "=" : std::string(text);
    if (take_word("in")) return "in";
    if (!take_word("not")) return "";
    if (!take_word("in")) fail(source_, token_.offset, "expected `in` after `not`");
    return "not in";
  }

  Expression comparison() {
    Expression left = sum();
    const size_t at = token_.offset;
    const std::string operation = take_comparison();
    if (operation.empty()) return left;
    Expression out = joined(operation, std::move(left), sum(), at);
    const size_t next = token_.offset;
    if (!take_comparison().empty()) fail(source_, next, "comparisons do not chain; join them with `and`");
    return out;
  }

  Expression sum() {
    Expression left = product();
    for (size_t at = token_.offset; is_sign("+") || is_sign("-"); at = token_.offset) {
      advance();
      const std::string operation = previous_;
      left = joined(operation, std::move(left), product(), at);
    }
    return left;
  }

  Expression product() {
    Expression left = signed_power();
    for (size_t at = token_.offset; is_sign("*") || is_sign("/"); at = token_.offset) {
      advance();
      const std::string operation = previous_;
      left = joined(operation, std::move(left), signed_power(), at);
    }
    return left;
  }

  Expression signed_power() {
    const Nested nested(*this);
    if (is_sign("-")) {
      Expression out{.kind = Expression::Kind::unary, .text = "-", .operands = {}, .offset = token_.offset};
      advance();
      out.operands.push_back(signed_power());
      return out;
    }
    Expression left = atom();
    const size_t at = token_.offset;
    if (!take_sign("**")) return left;
    return joined("**", std::move(left), signed_power(), at);
  }

  Expression atom() {
    const Token token = token_;
    switch (token.kind) {
      case Token::Kind::number:
        return number(token);
      case Token::Kind::text:
        advance();
        return {.kind = Expression::Kind::text, .text = token.text, .operands = {}, .offset = token.offset};
      case Token::Kind::word:
        return word(token);
      case Token::Kind::sign:
        if (token.text == "(") return parenthesis(token);
        [[fallthrough]];
      case Token::Kind::end:
        break;
    }
    const std::string after = previous_.empty() ? "" : " after \"" + previous_ + "\"";
    fail(source_, token.offset, "expected a value" + after);
  }

  Expression number(const Token& token) {
    auto value = read_share(token.text);  // 10% reads as 0.1
    if (!value)
      if (const auto whole = read_count(token.text)) value = static_cast<double>(*whole);
    if (!value) fail(source_, token.offset, "\"" + token.text + "\" is not a number");
    advance();
    return {.kind = Expression::Kind::number,
            .text = token.text,
            .number = *value,
            .operands = {},
            .offset = token.offset};
  }

  Expression word(const Token& token) {
    if (std::find(kReserved.begin(), kReserved.end(), token.text) != kReserved.end())
      fail(source_, token.offset, "expected a value, got `" + token.text + "`");
    advance();
    if (!take_sign("("))
      return {.kind = Expression::Kind::word, .text = token.text, .operands = {}, .offset = token.offset};
    if (std::find(kFunctions.begin(), kFunctions.end(), token.text) == kFunctions.end())
      fail(source_, token.offset,
           "unknown function \"" + token.text + "\"; there are min, max, sqrt, log2, round");
    Expression out{.kind = Expression::Kind::call, .text = token.text, .operands = {}, .offset = token.offset};
    out.operands = arguments();
    const bool takes_many = token.text == "min" || token.text == "max";
    if (!takes_many && out.operands.size() != 1) fail(source_, token.offset, token.text + " takes one value");
    return out;
  }

  Expression parenthesis(const Token& token) {
    advance();
    std::vector<Expression> items = arguments();
    if (items.size() == 1) return std::move(items[0]);
    return {.kind = Expression::Kind::list, .text = "", .operands = std::move(items), .offset = token.offset};
  }

  std::vector<Expression> arguments() {  // after "(", up to and with ")"
    std::vector<Expression> out;
    do out.push_back(choice());
    while (take_sign(","));
    expect_sign(")");
    return out;
  }

  std::string_view source_;
  Lexer lexer_;
  Token token_;
  std::string previous_;
  int nesting_ = 0;
};

void collect_words(const Expression& expression, std::vector<std::string>& out) {
  const bool is_new = std::find(out.begin(), out.end(), expression.text) == out.end();
  if (expression.kind == Expression::Kind::word && is_new) out.push_back(expression.text);
  for (const auto& operand : expression.operands) collect_words(operand, out);
}

bool is_textual(const Expression& e) {
  return e.kind == Expression::Kind::word || e.kind == Expression::Kind::text;
}

bool compares_equal(const Expression& e) {
  return e.kind == Expression::Kind::binary &&
         (e.text == "=" || e.text == "!=" || e.text == "in" || e.text == "not in");
}

void collect_comparisons(const Expression& e, std::vector<TextComparison>& out) {
  for (const auto& operand : e.operands) collect_comparisons(operand, out);
  if (!compares_equal(e)) return;
  const Expression& left = e.operands[0];
  const Expression& right = e.operands[1];
  const auto is_word = [](const Expression& side) { return side.kind == Expression::Kind::word; };
  const auto add = [&](const Expression& item) {
    if (is_word(left) && is_textual(item)) out.push_back({left.text, &item});
    const bool is_truth = left.text == "true" || left.text == "false";
    if (is_word(left) && is_word(item) && !is_truth) out.push_back({item.text, &left});  // attn = target
  };
  if (right.kind == Expression::Kind::list)
    for (const auto& item : right.operands) add(item);
  else
    add(right);
}

}  // namespace

Expression parse_expression(std::string_view text) {
  if (text.size() > kTextBytesMax) fail(text, kTextBytesMax, "longer than 4 KiB");
  if (const size_t bad = first_bad_byte(text); bad != std::string_view::npos)  // a message may quote any of it
    fail(text.substr(0, bad), bad, "not valid UTF-8 from here on");
  return Parser(text).whole();
}

std::vector<std::string> words_of(const Expression& expression) {
  std::vector<std::string> out;
  collect_words(expression, out);
  return out;
}

std::vector<TextComparison> text_comparisons(const Expression& expression) {
  std::vector<TextComparison> out;
  collect_comparisons(expression, out);
  return out;
}

}  // namespace ranktide
