#pragma once
// What model.from names, asked of the coordinator that a command is for, or of the data folder where none is.
// One thread.

#include <string>

#include "cli/content_finder.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

// Throws: std::runtime_error with what is wrong with it, or that nobody could be asked; to be read after the
// name. Requires: `from` is a source's name (common/sweep/warm_start.h).
SourceInput source_named(const std::string& from, const ContentSources& sources);

}  // namespace ranktide::cli
