#include "worker/trainer/lm/score.h"

#include <ATen/ops/empty.h>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/loss.h"
#include "worker/trainer/lm/parameters.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/transformer.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {
namespace {

// Questions end to end, with the rows whose next token is asked for.
struct Pack {
  std::vector<int32_t> tokens, segment_ends;
  std::vector<int32_t> rows, targets;

  void add(const Question& question) {
    RT_CHECK(question.from >= 1 && question.from <= question.to);
    RT_CHECK(question.to <= std::ssize(question.tokens));
    const auto start = static_cast<int64_t>(tokens.size());
    tokens.insert(tokens.end(), question.tokens.begin(), question.tokens.end());
    segment_ends.push_back(static_cast<int32_t>(tokens.size()));
    for (int64_t i = question.from; i < question.to; ++i) {
      rows.push_back(static_cast<int32_t>(start + i - 1));  // position i - 1 predicts token i
      targets.push_back(question.tokens[static_cast<size_t>(i)]);
    }
  }
};

RowScores score_pack(const Model& model, const Pack& pack) {
  const Network& network = model.tensors().network;
  Workspace& memory = *model.base().tensors().workspace;
  const Frame kept(memory.kept), scratch(memory.scratch);
  const at::Tensor stream = residual_stream(network, model.shape(), {pack.tokens, pack.segment_ends}, memory);
  const at::Device& device = model.base().device();
  const at::Tensor x = normed_rows(network, model.shape(), stream, indices(pack.rows, device), memory.scratch);
  const RowScores scores = head_scores(network.head, x, indices(pack.targets, device), memory.scratch);
  return {.log_p = on_host(scores.log_p), .greedy = on_host(scores.greedy)};
}

// Deals the rows of a pack, which lie on the host, out to its questions again.
void append_answers(std::vector<TokenScores>& answers, std::span<const Question> questions,
                    const RowScores& scores) {
  const float* log_p = scores.log_p.const_data_ptr<float>();
  const bool* greedy = scores.greedy.const_data_ptr<bool>();
  for (const Question& question : questions) {
    TokenScores answer;
    for (int64_t i = question.from; i < question.to; ++i, ++log_p, ++greedy) {
      answer.each.push_back(*log_p);
      answer.sum += *log_p;
      answer.greedy = answer.greedy && *greedy;
    }
    answers.push_back(std::move(answer));
  }
}

}  // namespace

std::vector<TokenScores> score(const Model& model, std::span<const Question> questions,
                               int64_t tokens_per_forward) {
  std::vector<TokenScores> answers;
  while (answers.size() < questions.size()) {
    const auto rest = questions.subspan(answers.size());
    Pack pack;
    size_t taken = 0;
    while (taken < rest.size() &&
           (taken == 0 || std::ssize(pack.tokens) + std::ssize(rest[taken].tokens) <= tokens_per_forward))
      pack.add(rest[taken++]);
    // A pack in which nothing is asked needs no forward.
    const RowScores scores =
        pack.rows.empty() ? RowScores{at::empty({0}), at::empty({0}, at::kBool)} : score_pack(model, pack);
    append_answers(answers, rest.first(taken), scores);
  }
  return answers;
}

void give_back_memory(const Model& model) {
  Workspace& memory = *model.base().tensors().workspace;
  memory.kept.release();
  memory.scratch.release();
  release_unused_memory(model.base().device());
}

}  // namespace ranktide
