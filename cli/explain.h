#pragma once
// `ranktide plan FILE --explain KEY`: where a key's value comes from in each block, the level that counts and
// those that it beats. Reads the file, not its inputs.

#include <string>

#include "cli/sweep_choice.h"

namespace ranktide::cli {

struct GlobalOptions;

// `block` empty: every block. Returns: an exit code. Throws: SpecError for a key or block that is none.
int explain_key(const SweepChoice& choice, const std::string& key, const std::string& block,
                const GlobalOptions& globals);

}  // namespace ranktide::cli
