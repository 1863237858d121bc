#pragma once
// What predictions read from disks, each folder and file once: the shapes of models, and how much there is to
// evaluate. Caches, no predictions (estimate.h). One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide::cli {

// What an eval reads: from the size of its file and its limit. Nothing of a file that is not there.
struct EvalSize {
  double tokens = 0;
  double item_tokens = 0;
};

class EvalSizes {
 public:
  const EvalSize& of(const EvalSpec& spec);

 private:
  std::map<std::pair<std::string, std::optional<int64_t>>, EvalSize> known_;  // by file and limit
};

class ModelShapes {
 public:
  // Returns: nullopt for a model that cannot be read: whoever reads inputs has named the reason.
  const std::optional<ModelShape>& of(const std::string& folder);

 private:
  std::map<std::string, std::optional<ModelShape>> known_;
};

}  // namespace ranktide::cli
