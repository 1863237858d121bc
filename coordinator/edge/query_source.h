#pragma once
// Which finished trial a sweep's model.from means (common/sweep/warm_start.h), and what has to be known of it.
// Reads only.

#include <string>

#include "common/sweep/sweep_spec.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

// Returns: the one trial whose id starts so. Throws: QueryError with the reason when there is none such,
// several, or one that has left no weights; StoreError. Whether the worker that has them is still known is the
// coordinator's to say.
SourceInput source_with(const Reader& reader, const std::string& prefix);

}  // namespace ranktide
