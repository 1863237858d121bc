#include "common/model/layer_plan.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

LinearPlan linear_plan_of(const TrialSettings& settings, const ModelShape& shape, const std::string& module) {
  const auto linear = linear_shape(shape, module);
  RT_CHECK(linear.has_value());
  const bool has_adapter =
      settings.lora && std::count(settings.lora->target.begin(), settings.lora->target.end(), module) > 0;
  return {.in = linear->in, .out = linear->out, .rank = has_adapter ? settings.lora->rank : 0};
}

}  // namespace

LayerPlan layer_plan_of(const TrialSettings& settings, const ModelShape& shape) {
  const auto linears = [&](std::initializer_list<const char*> modules) {
    std::vector<LinearPlan> out;
    for (const char* module : modules) out.push_back(linear_plan_of(settings, shape, module));
    return out;
  };
  return {.qkv = linears({"q_proj", "k_proj", "v_proj"}),
          .o = linears({"o_proj"}),
          .gate_up = linears({"gate_proj", "up_proj"}),
          .down = linears({"down_proj"})};
}

int64_t rank_of(LinearGroup group) {
  int64_t rank = 0;
  for (const LinearPlan& linear : group) rank += linear.rank;
  return rank;
}

}  // namespace ranktide
