#pragma once
// Evaluation files -> items of token ids to score. Reading and cutting only: scoring is the trainer's, the
// grid's view of evals is common/sweep's. Free functions; any thread with its own Tokenizer.
//
// kind choice:
//   {query, choices, gold}                  one context, several continuations
//   {context_options, continuation, gold}   schema: several contexts, one continuation; `gold` counts from 0
// kind loss:
//   {context, continuation} and every pair of documents.h: loss on the second; messages: on the last turn
//   {text}: loss on every token
//   files of text: each document (documents.h) in windows of kEvalWindowTokens tokens without overlap
// Context and continuation are joined as documents.h says, query and choice by a space. White space at the end
// of the context then moves to the continuation; both are encoded together and cut at the length of the encoded
// context, as lm_eval does; no bos goes in front, as is its default. Texts and windows begin with bos where the
// tokenizer's family does, else their first token is context only.
// A template replaces the joint: a text with {query} and {choice}, {context} and {continuation}, or {prompt}
// and {completion} (all three mean the same); `chat` makes the two a user's and an assistant's turn. shots: the
// first rows of a choice file stand solved before each item, with blank lines between, and are not scored
// themselves.

#include <cstdint>
#include <vector>

#include "common/text/documents.h"
#include "common/text/tokenizer.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

constexpr int kEvalWindowTokens = 512;  // without bos; part of what kind loss means on plain text: permanent

// One sequence to score: log p(tokens[i] | tokens[0..i)) for i in [scored_from, size).
struct EvalChoice {
  std::vector<int32_t> tokens;
  int32_t scored_from = 0;  // >= 1
  int64_t bytes = 0;        // of the scored text as it stands in the file, for norm: bytes
};

struct EvalItem {
  std::vector<EvalChoice> choices;  // one for kind loss
  int gold = 0;
};

// Returns: the items in file order, at most spec.limit; never empty.
// Throws: DataError with file:line:column and remedy.
std::vector<EvalItem> load_eval_items(const EvalSpec&, const Tokenizer&);

}  // namespace ranktide
