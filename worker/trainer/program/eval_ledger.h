#pragma once
// Eval results of one stage, remembered on disk beside its checkpoints. A resumed attempt no longer has the
// weights of the steps before its checkpoint, so it says again what was found there instead of evaluating. One
// thread.

#include <filesystem>
#include <optional>

#include "common/vocabulary/trial.h"

namespace ranktide {

class EvalLedger {
 public:
  explicit EvalLedger(std::filesystem::path folder);  // of the stage; made with the first result

  // Returns: nullopt when there is none, or its file is damaged.
  std::optional<EvalResult> find(const EvalId& id) const;
  // On return the result is safe on disk. Throws: std::runtime_error naming the file and the reason.
  void remember(const EvalResult& result) const;

 private:
  std::filesystem::path path_of(const EvalId& id) const;

  std::filesystem::path folder_;
};

}  // namespace ranktide
