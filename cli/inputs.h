#pragma once
// Reads what a sweep names outside its file: base models, tokenizers, training data, eval data. The result
// makes trial ids final and steps known. Hashes and tokenized data are cached in the data folder.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

struct InputsRead {
  Inputs inputs;
  std::vector<std::string> unreadable;  // one message per input: what, why, what to do
  std::vector<std::string> refused;     // one message per setting that an input rules out
};

// `say` gets a line before anything slow. An input that cannot be read is reported, not thrown: plan goes on
// without it, run and submit refuse.
InputsRead read_inputs(const SweepSpec& spec, const std::filesystem::path& cache_folder,
                       const std::function<void(const std::string&)>& say);

}  // namespace ranktide::cli
