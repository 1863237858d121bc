#pragma once
// What the programs here that time the engine's steps share: rows of token ids as its batches, and settings
// that the rivals are given too: AdamW at a constant rate, without decay, clipped at 1.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/vocabulary/trial.h"
#include "worker/trainer/train/batch.h"

namespace ranktide::bench {

struct Shape {
  int rows = 0;
  int tokens = 0;  // of a row
  int64_t step_tokens() const { return int64_t{rows} * tokens; }
};

using Ids = std::vector<int32_t>;

// Returns: the int32, in the processor's byte order, that the file holds.
Ids ids_in(const std::filesystem::path& file);

// Step s trains on the s-th batch of rows, in micro-batches of so many or the rest; the last token of a row has
// nothing to predict.
// Outlives: the source: ids, which hold as many steps as are asked for.
BatchSource rows_of(const Ids& ids, const Shape& shape, int microbatch);

TrialSettings full_settings(Dtype dtype, const Shape& shape);
// Alpha is twice the rank.
TrialSettings lora_settings(Dtype dtype, const Shape& shape, int rank, std::vector<std::string> target);

Stage stage_of(const TrialSettings& settings, Step steps);

}  // namespace ranktide::bench
