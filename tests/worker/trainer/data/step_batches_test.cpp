#include "worker/trainer/data/step_batches.h"

#include <gmock/gmock.h>
#include <memory>
#include <vector>

namespace ranktide {
namespace {

using testing::ElementsAre;

// Row i holds i + 2 tokens of value i, in two segments.
std::shared_ptr<const Dataset> numbered_rows(int count) {
  auto data = std::make_shared<Dataset>();
  for (int32_t i = 0; i < count; ++i) {
    const auto size = static_cast<size_t>(i) + 2;
    Row row{.tokens = std::vector<int32_t>(size, i),
            .targets = std::vector<int32_t>(size, i),
            .segment_ends = {1, static_cast<int32_t>(size)}};
    row.targets[0] = row.targets[size - 1] = kNoTarget;
    data->rows.push_back(row);
  }
  return data;
}

TrialSettings batch_of(int rows, uint64_t seed = 7) {
  TrialSettings settings;
  settings.seed = seed;
  settings.train.batch = rows;
  return settings;
}

std::vector<int32_t> tokens_of(const StepBatch& step) {
  std::vector<int32_t> all;
  for (const Batch& batch : step.micro) all.insert(all.end(), batch.tokens.begin(), batch.tokens.end());
  return all;
}

// The rows of a step, by the value that each is filled with, in the order read.
std::vector<int32_t> rows_of(const StepBatch& step) {
  std::vector<int32_t> rows;
  for (const Batch& batch : step.micro)
    for (size_t s = 1; s < batch.segment_ends.size(); s += 2)
      rows.push_back(batch.tokens[static_cast<size_t>(batch.segment_ends[s]) - 1]);
  return rows;
}

TEST(StepBatches, ReadsTheRowsInTheOrderOfTheSeed) {
  const BatchSource source = step_batches(numbered_rows(6), batch_of(2, 3), 2);
  std::vector<int32_t> read, expected;
  for (Step s = 1; s <= 6; ++s)  // two epochs
    for (const int32_t row : rows_of(source(s))) read.push_back(row);
  for (int64_t p = 0; p < 12; ++p) expected.push_back(static_cast<int32_t>(row_at(6, 3, p)));
  EXPECT_EQ(read, expected);
}

TEST(StepBatches, GivesEveryRowOncePerEpochThoughABatchSpansTwo) {
  const BatchSource source = step_batches(numbered_rows(5), batch_of(3), 3);
  std::vector<int> seen(5);
  for (Step s = 1; s <= 5; ++s)
    for (const int32_t row : rows_of(source(s))) ++seen[static_cast<size_t>(row)];
  EXPECT_THAT(seen, ElementsAre(3, 3, 3, 3, 3));
}

TEST(StepBatches, IsAFunctionOfTheStepAlone) {
  const auto data = numbered_rows(9);
  const BatchSource forward = step_batches(data, batch_of(4), 4), resumed = step_batches(data, batch_of(4), 4);
  for (Step s = 1; s < 30; ++s) forward(s);
  EXPECT_EQ(tokens_of(forward(30)), tokens_of(resumed(30)));
  EXPECT_EQ(tokens_of(forward(2)), tokens_of(resumed(2)));
}

TEST(StepBatches, HoldsTheSameTokensHoweverItIsCut) {
  const auto data = numbered_rows(9);
  const StepBatch whole = step_batches(data, batch_of(5), 5)(2), cut = step_batches(data, batch_of(5), 2)(2);
  EXPECT_EQ(whole.micro.size(), 1u);
  EXPECT_EQ(cut.micro.size(), 3u);  // 2 + 2 + 1 rows
  EXPECT_EQ(tokens_of(whole), tokens_of(cut));
  EXPECT_EQ(whole.tokens, cut.tokens);
  EXPECT_EQ(whole.tokens, static_cast<int64_t>(tokens_of(whole).size()));
}

TEST(StepBatches, KeepsTargetsAndSegmentsOfEachRow) {
  const auto data = numbered_rows(3);
  const StepBatch step = step_batches(data, batch_of(2), 2)(1);
  ASSERT_EQ(step.micro.size(), 1u);
  const Batch& batch = step.micro.front();
  const Row &first = data->rows[static_cast<size_t>(row_at(3, 7, 0))],
            &second = data->rows[static_cast<size_t>(row_at(3, 7, 1))];
  const auto offset = static_cast<int32_t>(first.tokens.size());
  EXPECT_THAT(batch.segment_ends, ElementsAre(1, offset, offset + 1, std::ssize(batch.tokens)));
  std::vector<int32_t> targets = first.targets;
  targets.insert(targets.end(), second.targets.begin(), second.targets.end());
  EXPECT_EQ(batch.targets, targets);
}

}  // namespace
}  // namespace ranktide
