#pragma once
// Data files that a sweep names by content (`sha256:HEX`), brought to where they can be read
// (content_finder.h), with the ending that says their kind. From then on they are paths like any other:
// identity is content, so the ids of trials are the same. Not for models (named_models.h). One thread.

#include <string>
#include <vector>

#include "cli/content_finder.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

// Replaces the names in the settings by paths where the files lie now.
// Returns: a message for each that is nowhere: what, where it was looked for, what to do. Those names stay.
std::vector<std::string> place_named_content(SweepSpec& spec, const ContentSources& sources);

}  // namespace ranktide::cli
