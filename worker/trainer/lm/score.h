#pragma once
// Log-probabilities of given tokens: what evaluations are made of. The head is computed only for the positions
// that are asked for, in chunks, so no [T, V] is ever held. Dropout is off.

#include <cstdint>
#include <span>
#include <vector>

#include "worker/trainer/lm/model.h"

namespace ranktide {

// Tokens [from, to) of a sequence, each given all tokens before it.
// Requires: 1 <= from <= to <= tokens.size(); each token in [0, V).
struct Question {
  std::vector<int32_t> tokens;
  int64_t from = 1;
  int64_t to = 1;
};

struct TokenScores {
  double sum = 0;           // of `each`
  std::vector<float> each;  // log p(token_i | tokens_<i), nats, for i in [from, to)
  bool greedy = true;       // each of these tokens is the model's first choice, of equals the first
};

// Returns: one answer per question, in order. Questions are packed as segments of a forward of about
// `tokens_per_forward` tokens (a longer question runs by itself); attention never crosses questions.
std::vector<TokenScores> score(const Model& model, std::span<const Question> questions,
                               int64_t tokens_per_forward = 2048);

// Gives what passes over the model's base hold back to the system, after one of them ran out of memory.
// Requires: none is going on.
void give_back_memory(const Model& model);

}  // namespace ranktide
