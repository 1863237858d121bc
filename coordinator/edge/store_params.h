#pragma once
// A trial's settings as flat columns that queries filter and group by. Not identity
// (common/sweep/identity): nothing is hashed from these, paths stay paths. Pure.

#include <string>

#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// Returns: an object of full key ("train.lr") -> number, text or bool, without the keys that have no effect in
// this trial. List-valued settings are texts as a sweep file writes them. "seed" is included.
Json flat_settings(const TrialSettings& settings);

// Returns: "attn", "mlp", "all", or the module names joined by '+'.
std::string target_text(const std::vector<std::string>& modules);

}  // namespace ranktide
