// libFuzzer on expressions. Any bytes are refused with an ExpressionError or parse; what parses prints as text
// that parses to the same tree and evaluates to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/sweep/text_bytes.h"
#include "common/vocabulary/check.h"
#include "tests/fuzz/expression_print.h"

namespace ranktide {
namespace {

// Some names have a number, some a text, one nothing, the others do not exist.
std::optional<Json> value_of(const std::string& name) {
  if (name == "rank" || name == "r") return 16;
  if (name == "lr") return 1e-4;
  if (name == "regime" || name == "a") return "code";
  if (name == "packing") return true;
  if (name == "cooldown") return nullptr;
  return std::nullopt;
}

std::string outcome(const Expression& expression) {
  try {
    return evaluate(expression, value_of).dump();
  } catch (const ExpressionError&) {
    return "refused";
  }
}

void read(std::string_view text) {
  Expression expression;
  try {
    expression = parse_expression(text);
  } catch (const ExpressionError& e) {
    RT_CHECK(e.offset <= text.size());
    RT_CHECK(first_bad_byte(e.what()) == std::string_view::npos);
    return;
  }
  const std::string value = outcome(expression);
  text_comparisons(expression);
  words_of(expression);
  Expression again;
  try {
    again = parse_expression(printed(expression));
  } catch (const ExpressionError& e) {  // its parentheses reach a limit that the text did not
    const std::string_view message = e.what();
    RT_CHECK(message.find("nested deeper") != message.npos || message.find("4 KiB") != message.npos);
    return;
  }
  RT_CHECK(is_same_tree(expression, again));
  RT_CHECK(outcome(again) == value);
}

}  // namespace
}  // namespace ranktide

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ranktide::read({reinterpret_cast<const char*>(data), size});
  return 0;
}
