#pragma once
// Reads what a sweep names outside its file: base models, tokenizers, training data, eval data. The result
// makes trial ids final and steps known. Hashes and tokenized data are cached in the data folder.

#include <set>
#include <string>
#include <vector>

#include "cli/named_content.h"
#include "cli/sizes_read.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

struct InputsRead {
  Inputs inputs;
  std::vector<std::string> unreadable;  // one message per input: what, why, what to do
  std::vector<std::string> refused;     // one message per setting that an input rules out
  std::set<std::string> elsewhere;      // of inputs.contents: files that are not on this machine
  EvalSizesRead eval_sizes;             // of the evals whose items were read
};

// Names by content become paths in `spec` first (named_content.h, named_models.h). An input that cannot be read
// is reported, not thrown: plan goes on without it, run and submit refuse.
InputsRead read_inputs(SweepSpec& spec, const ContentSources& sources);

}  // namespace ranktide::cli
