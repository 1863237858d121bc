#pragma once
// A sweep as it was submitted, from the journal: what a newer file is compared with. Reads only.

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/records.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

// Returns: the newest revision, its spec with the inputs; nullopt when no sweep has this name. Throws:
// StoreError, as Reader::each.
std::optional<SweepSubmitted> newest_submission(const Reader& reader, const std::string& sweep);

// Returns: what tuning has added to that revision, in the order in which it did. Throws as above.
std::vector<AddedCell> added_cells(const Reader& reader, const SweepSubmitted& submitted);

}  // namespace ranktide
