#pragma once
// Answers "how much did each setting learn, how much was forgotten" from the v_* views. Not a printer
// (query_frame.h) and not statistics (statistics.h). Pure but for the reads.
//
// The rules: seeds are the replicates and cells the unit; intervals are t(df)·s/√n with s pooled over the cells
// of the same sweep, method and evalset; a trial that lacks one declared eval is in no mean; diverged, failed
// and missing trials are counted and said; nothing is pooled over an axis that was not named; of a selected
// axis, and of what a sweep's `tune` names, only the best value is shown, with what that choice is worth
// (query_selection.h).

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/edge/query_frame.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

// A request that cannot be answered as it stands: what, and what to ask instead. (Exit 2; not found: exit 5.)
struct QueryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct SweepNotFound : QueryError {
  using QueryError::QueryError;
};

enum class QueryRows {
  cells,   // one row per cell, seeds averaged, and one per untouched base
  trials,  // one row per trial, with its state, scores, cost and artifacts folder
};

struct QueryRequest {
  std::vector<std::string> sweeps;  // names; at least one
  std::vector<std::string>
      by;             // axes: labels or settings, full or last part. Default: regime method rank target lr
  std::string where;  // expression over labels, settings and seed; empty: everything
  std::vector<std::string> metrics;  // learning gain retained forgetting tokens seconds memory, or an eval's
                                     // name. Default: learning gain forgetting tokens seconds memory
  QueryRows rows = QueryRows::cells;
  std::vector<std::string>
      select;                // "lr=best:learning". Default: what the sweeps' `tune` names, and is not in `by`
  std::string select_on;     // metric that selections choose by, in place of their own; empty: theirs
  std::string vs;            // expression: differences to the rows for which it holds; empty: none
  bool keeps_tuned = false;  // no selection by default: tuned axes are shown as any other
};

// Throws: SweepNotFound naming the sweeps there are; QueryError for an unknown axis or metric, a bad
// expression or selection, or axes that vary inside a group (it lists them).
Frame query(const Reader& reader, const QueryRequest& request);

}  // namespace ranktide
