#pragma once
// The linears of a decoder layer as a trial has them, grouped by the input that they share: what those go
// through who count the work (step_work.h) and the memory (pass_bytes.h) of a pass. Pure.

#include <cstdint>
#include <span>
#include <vector>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

struct LinearPlan {
  int64_t in = 0, out = 0;
  int64_t rank = 0;  // of its adapter; 0: none
};

struct LayerPlan {
  std::vector<LinearPlan> qkv, o, gate_up, down;
};

using LinearGroup = std::span<const LinearPlan>;

LayerPlan layer_plan_of(const TrialSettings& settings, const ModelShape& shape);

// Returns: of all adapters of the group together; 0: none has one.
int64_t rank_of(LinearGroup group);

}  // namespace ranktide
