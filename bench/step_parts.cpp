#include "bench/step_parts.h"

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>
#include <chrono>
#include <string_view>

#include "common/vocabulary/check.h"

namespace ranktide::bench {
namespace {

using Clock = std::chrono::steady_clock;

StepParts* listening = nullptr;
int depth = 0;  // operators call others: only the outermost counts

}  // namespace

struct StepParts::Operator : at::ObserverContext {
  std::string part;
  double flops = 0;
  Clock::time_point start;
};

StepParts::StepParts(const ModelShape& shape, const TrialSettings& settings)
    : vocabulary_(shape.vocabulary),
      rank_(settings.lora ? settings.lora->rank : 0),
      widths_{shape.hidden, shape.ffn, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim},
      handle_(at::addThreadLocalCallback(
          at::RecordFunctionCallback(began, ended).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
  RT_CHECK(!listening);
  listening = this;
}

StepParts::~StepParts() {
  at::removeCallback(handle_);
  listening = nullptr;
}

bool StepParts::is_of_adapters(int64_t size) const {
  return rank_ > 0 && size % rank_ == 0 && size <= 3 * rank_ && !widths_.contains(size);
}

const char* StepParts::part_of_product(int64_t m, int64_t k, int64_t n) const {
  if (m == vocabulary_ || k == vocabulary_ || n == vocabulary_) return "head";
  return is_of_adapters(m) || is_of_adapters(k) || is_of_adapters(n) ? "adapters" : "linears";
}

std::unique_ptr<at::ObserverContext> StepParts::began(const at::RecordFunction& called) {
  if (depth++ > 0) return nullptr;
  auto heard = std::make_unique<Operator>();
  const std::string_view name = called.name();
  heard->part = name == "aten::_fused_adamw_" ? "optimizer" : "others";
  if (name == "aten::addmm" || name == "aten::baddbmm" || name == "ranktide::product") {
    const at::Tensor a = called.inputs()[1].toTensor(), b = called.inputs()[2].toTensor();
    heard->flops = 2.0 * static_cast<double>(a.numel()) * static_cast<double>(b.size(-1));
    heard->part = a.dim() == 3 ? "attention" : listening->part_of_product(a.size(0), a.size(1), b.size(1));
  }
  heard->start = Clock::now();
  return heard;
}

void StepParts::ended(const at::RecordFunction&, at::ObserverContext* context) {
  --depth;
  if (!context) return;
  const auto& heard = static_cast<const Operator&>(*context);
  Part& part = listening->parts_[heard.part];
  part.seconds += std::chrono::duration<double>(Clock::now() - heard.start).count();
  part.flops += heard.flops;
}

}  // namespace ranktide::bench
