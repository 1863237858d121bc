#pragma once
// A stretch of a document before it is tokens.

#include <string>

namespace ranktide {

enum class SpanKind {
  control,  // a special token of the template or the tokenizer, by its exact text
  text,     // user or template text: special tokens in it are spelled out
};

struct Span {
  std::string text;
  SpanKind kind = SpanKind::text;
  bool learned = false;  // whether its tokens are targets when prompts are masked
};

}  // namespace ranktide
