#include "worker/trainer/check/lessons.h"

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

// Adds a segment that climbs through the vocabulary by small steps.
void add_climb(Batch& batch, int64_t length, int64_t vocabulary, SplitMix64& chance) {
  auto token = static_cast<int64_t>(chance.below(static_cast<uint64_t>(vocabulary)));
  for (int64_t i = 0; i < length; ++i) {
    const int64_t next = (token + static_cast<int64_t>(chance.below(3))) % vocabulary;
    const bool is_prompt = i < length / 4, is_last = i + 1 == length;
    batch.tokens.push_back(static_cast<int32_t>(token));
    batch.targets.push_back(is_prompt || is_last ? kNoLabel : static_cast<int32_t>(next));
    token = next;
  }
  batch.segment_ends.push_back(static_cast<int32_t>(batch.tokens.size()));
}

}  // namespace

BatchSource seeded_lessons(int64_t vocabulary, uint64_t seed, int64_t longest) {
  return [vocabulary, seed, longest](Step step) {
    SplitMix64 chance{mix(seed, static_cast<uint64_t>(step))};
    StepBatch out;
    out.micro.resize(2);
    for (const int64_t length : {int64_t{9}, int64_t{9}, step == 1 ? longest : int64_t{70}})
      add_climb(out.micro[0], length, vocabulary, chance);
    for (const int64_t length : {24, 5}) add_climb(out.micro[1], length, vocabulary, chance);
    for (const Batch& batch : out.micro) out.tokens += std::ssize(batch.tokens);
    return out;
  };
}

}  // namespace ranktide
