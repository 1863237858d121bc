#pragma once
// An expression over numbers and conditions, made ready to be worked out for very many cells: no text, no
// lookup by name, nothing allocated. What it does not know, an error above all, it leaves to evaluate()
// (expression.h), which has the same value wherever this one has any. Const after construction, safe from any
// thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/expression.h"

namespace ranktide {

// A number or a condition; a condition is 0 or 1.
struct PlainValue {
  enum class Kind : uint8_t { unknown, number, condition };
  Kind kind = Kind::unknown;
  double value = 0;
};

// Returns: of a whole number only where a double holds it, unknown of anything that is neither.
PlainValue plain_of(const Json& value);
// Returns: of one that is known.
Json json_of(const PlainValue& value);

class NumberRule {
 public:
  // `words`: what the expression may name. Returns: nullopt for one that needs more than this knows.
  static std::optional<NumberRule> of(const Expression& rule, const std::vector<std::string>& words);

  // `word_at`: what a word means, by its place in `words`. Asked only where the value hangs on it.
  template <class WordAt>
  PlainValue at(const WordAt& word_at) const {
    return at(root_, word_at);
  }

 private:
  enum class Operation : uint8_t {
    number,
    word,
    negate,
    invert,
    both,
    either,
    equal,
    unequal,
    less,
    at_most,
    more,
    at_least,
    add,
    subtract,
    multiply,
    divide,
    power,
    min,
    max,
    sqrt,
    log2,
    round,
    choose,
  };
  struct Node {
    Operation operation = Operation::number;
    double number = 0;
    size_t word = 0;
    std::vector<Node> of{};
  };
  static std::optional<Node> node_of(const Expression& e, const std::vector<std::string>& words);
  static std::optional<Operation> operation_of(const Expression& e);
  static PlainValue joined(Operation operation, const PlainValue& left, const PlainValue& right);

  template <class WordAt>
  static PlainValue at(const Node& node, const WordAt& word_at) {
    switch (node.operation) {
      case Operation::number:
        return {PlainValue::Kind::number, node.number};
      case Operation::word:
        return word_at(node.word);
      case Operation::both:
      case Operation::either: {
        const PlainValue first = at(node.of[0], word_at);
        if (first.kind != PlainValue::Kind::condition) return {};
        if ((first.value == 0) == (node.operation == Operation::both)) return first;
        const PlainValue second = at(node.of[1], word_at);
        return second.kind == PlainValue::Kind::condition ? second : PlainValue{};
      }
      case Operation::choose: {
        const PlainValue condition = at(node.of[1], word_at);
        if (condition.kind != PlainValue::Kind::condition) return {};
        return at(node.of[condition.value != 0 ? 0 : 2], word_at);
      }
      default: {
        PlainValue out = at(node.of[0], word_at);
        if (node.of.size() == 1) return joined(node.operation, out, out);
        for (size_t i = 1; i < node.of.size(); ++i) out = joined(node.operation, out, at(node.of[i], word_at));
        return out;
      }
    }
  }

  explicit NumberRule(Node root) : root_(std::move(root)) {}
  Node root_;
};

}  // namespace ranktide
