#include "worker/trainer/eval/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/vocabulary/check.h"
#include "common/vocabulary/failpoint.h"
#include "worker/trainer/lm/score.h"

namespace ranktide {
namespace {

// Which choice of which item a question came from.
struct Origin {
  size_t item = 0;
  size_t choice = 0;
};

// What the engine is asked, and where each answer belongs; both in the order of asking.
struct Asked {
  std::vector<Question> questions;
  std::vector<Origin> origins;
};

// As lm_eval: of a sequence longer than the context its last `context` inputs and what they predict are kept.
int64_t kept_of(const EvalChoice& choice, int64_t context) {
  return std::min(std::ssize(choice.tokens), context + 1);
}

Question question_of(const EvalChoice& choice, int64_t context) {
  const int64_t size = std::ssize(choice.tokens), cut = size - kept_of(choice, context);
  Question q;
  q.tokens.assign(choice.tokens.begin() + cut, choice.tokens.end());
  q.from = std::max<int64_t>(1, choice.scored_from - cut);
  q.to = size - cut;
  return q;
}

// Longest first: neighbours of like length pack tightly, and what does not fit into memory fails at once.
Asked ask(std::span<const EvalItem> items, int64_t context) {
  Asked asked;
  for (size_t i = 0; i < items.size(); ++i)
    for (size_t c = 0; c < items[i].choices.size(); ++c) asked.origins.push_back({i, c});
  const auto size_of = [&](const Origin& o) { return items[o.item].choices[o.choice].tokens.size(); };
  std::stable_sort(asked.origins.begin(), asked.origins.end(),
                   [&](const Origin& a, const Origin& b) { return size_of(a) > size_of(b); });
  for (const Origin& o : asked.origins)
    asked.questions.push_back(question_of(items[o.item].choices[o.choice], context));
  return asked;
}

// Returns: how many of the questions, from the first, make one forward; a longer one makes its own.
size_t questions_of_forward(std::span<const Question> questions, int64_t tokens_max) {
  int64_t tokens = 0;
  size_t n = 0;
  for (; n < questions.size(); ++n) {
    tokens += std::ssize(questions[n].tokens);
    if (n > 0 && tokens > tokens_max) break;
  }
  return n;
}

std::vector<ItemScore> blank_scores(std::span<const EvalItem> items) {
  std::vector<ItemScore> scores;
  for (const EvalItem& item : items) {
    const size_t choices = item.choices.size();
    scores.push_back({.loglik = std::vector<double>(choices), .tokens = std::vector<int64_t>(choices)});
  }
  return scores;
}

void record(const TokenScores& answer, const Origin& origin, std::vector<ItemScore>& scores) {
  ItemScore& score = scores[origin.item];
  score.loglik[origin.choice] = answer.sum;
  score.tokens[origin.choice] = static_cast<int64_t>(answer.each.size());
  score.correct = answer.greedy;  // of kind loss; pick_winner decides for kind choice
}

double normed(const EvalChoice& choice, double loglik, int64_t tokens, EvalNorm norm) {
  switch (norm) {
    case EvalNorm::tokens:
      return loglik / static_cast<double>(tokens);
    case EvalNorm::bytes:
      return loglik / static_cast<double>(std::max<int64_t>(1, choice.bytes));
    case EvalNorm::none:
      break;
  }
  return loglik;
}

void pick_winner(const EvalItem& item, ItemScore& score, EvalNorm norm) {
  std::vector<double> standing;
  for (size_t c = 0; c < item.choices.size(); ++c)
    standing.push_back(normed(item.choices[c], score.loglik[c], score.tokens[c], norm));
  score.choice = static_cast<int>(std::max_element(standing.begin(), standing.end()) - standing.begin());
  score.correct = score.choice == item.gold;
}

// The ratio estimate's error (delta method): items differ in length, so a mean of per-item losses is another
// number.
double loss_stderr(const std::vector<ItemScore>& items, double loss, double tokens) {
  double squares = 0;
  for (const ItemScore& item : items) {
    const double residual = -item.loglik.front() - loss * static_cast<double>(item.tokens.front());
    squares += residual * residual;
  }
  const auto n = static_cast<double>(items.size());
  return std::sqrt(squares * n / (n - 1)) / tokens;
}

void tally_loss(Evaluation& e) {
  double nats = 0;
  for (const ItemScore& item : e.items) nats -= item.loglik.front();
  const auto tokens = static_cast<double>(e.tokens);
  e.metric = "loss";
  e.sign = -1;
  e.value = nats / tokens;
  e.stderr_ = loss_stderr(e.items, e.value, tokens);
}

void tally_choice(Evaluation& e) {
  const auto n = static_cast<double>(e.items.size());
  const auto correct =
      std::count_if(e.items.begin(), e.items.end(), [](const ItemScore& i) { return i.correct; });
  e.metric = "acc";
  e.sign = 1;
  e.value = static_cast<double>(correct) / n;
  e.stderr_ = std::sqrt(e.value * (1 - e.value) / (n - 1));
}

}  // namespace

Evaluation tally(std::vector<ItemScore> items, EvalKind kind) {
  RT_CHECK(!items.empty());
  Evaluation e;
  e.items = std::move(items);
  for (const ItemScore& item : e.items)
    e.tokens = std::accumulate(item.tokens.begin(), item.tokens.end(), e.tokens);
  RT_CHECK(e.tokens > 0);
  kind == EvalKind::loss ? tally_loss(e) : tally_choice(e);
  return e;
}

int64_t longest_sequence(std::span<const EvalItem> items, int64_t context) {
  int64_t longest = 0;
  for (const EvalItem& item : items)
    for (const EvalChoice& choice : item.choices) longest = std::max(longest, kept_of(choice, context));
  return longest;
}

std::optional<Evaluation> evaluate(const Model& model, std::span<const EvalItem> items, EvalKind kind,
                                   EvalNorm norm, std::stop_token stop, const OnScored& on_scored,
                                   int64_t tokens_per_forward) {
  const Asked asked = ask(items, model.shape().context);
  std::span<const Question> left = asked.questions;
  std::vector<ItemScore> scores = blank_scores(items);
  while (!left.empty()) {
    if (stop.stop_requested()) return std::nullopt;
    const size_t done = asked.questions.size() - left.size(),
                 now = questions_of_forward(left, tokens_per_forward);
    const std::vector<TokenScores> answers = score(model, left.first(now), tokens_per_forward);
    for (size_t i = 0; i < now; ++i) record(answers[i], asked.origins[done + i], scores);
    pass_failpoint("eval_forward_done");
    left = left.subspan(now);
    if (on_scored) on_scored(done + now, asked.questions.size());
  }
  if (kind == EvalKind::choice)
    for (size_t i = 0; i < items.size(); ++i) pick_winner(items[i], scores[i], norm);
  return tally(std::move(scores), kind);
}

}  // namespace ranktide
