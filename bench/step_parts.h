#pragma once
// Where the seconds of a step go: LibTorch tells of every operator that it runs and the engine of its own
// products, which are told apart by the sizes of their factors. What is left of a step is the engine's other
// loops: norms, RoPE, SwiGLU, softmax, loss. One at a time, and of the thread that makes it.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace at {
struct ObserverContext;
struct RecordFunction;
}  // namespace at

namespace ranktide::bench {

struct Part {
  double seconds = 0;
  double flops = 0;  // of products; multiply and add counted apart
};

class StepParts {
 public:
  StepParts(const ModelShape& shape, const TrialSettings& settings);
  ~StepParts();
  StepParts(const StepParts&) = delete;
  StepParts& operator=(const StepParts&) = delete;

  // Leaves out what was heard so far.
  void forget() { parts_.clear(); }
  // linears, head, adapters, attention, optimizer, and others: sums, conversions, clearing.
  const std::map<std::string, Part>& parts() const { return parts_; }

 private:
  struct Operator;
  static std::unique_ptr<at::ObserverContext> began(const at::RecordFunction& called);
  static void ended(const at::RecordFunction& called, at::ObserverContext* context);

  const char* part_of_product(int64_t m, int64_t k, int64_t n) const;
  // Adapters that share an input are multiplied as one, up to three; a rank that is also a width of the model
  // counts as that.
  bool is_of_adapters(int64_t size) const;

  int64_t vocabulary_, rank_;
  std::set<int64_t> widths_;
  std::map<std::string, Part> parts_;
  uint64_t handle_;
};

}  // namespace ranktide::bench
