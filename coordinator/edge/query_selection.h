#pragma once
// Of the values of an axis only the best, row by row: `--select lr=best:learning`, and what a sweep's `tune`
// asks for. Decides which cells are shown and what to say of the choice; the numbers are made in query_cells.h.
// Pure.
//
// A value is judged by the mean over its seeds, of complete trials. One of which a trial diverged, with a loss
// that is not finite or silently, is not chosen: the seeds that survived would flatter it. Equal means go to
// the value that comes first.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "coordinator/edge/query_axes.h"
#include "coordinator/edge/query_cells.h"

namespace ranktide {

struct AxisSelection {
  ResultAxis axis;
  Metric metric;
  bool takes_lowest = false;        // of the metric as tables show it
  bool is_by_what_is_shown = true;  // what is shown has a part in the metric, and is flattered by the choice
};

// Returns: whether `chosen_by` has an eval in common with a metric that is shown, or is one.
bool has_part_in(const Metric& chosen_by, const std::vector<Metric>& shown,
                 const std::vector<EvalsetRow>& evalsets);

// Returns: the selection of "lr=best:METRIC", with ":min" or ":max" behind it where the metric's own direction
// is not meant: of an eval they speak of its value as it was measured, a loss being positive. "lr=best" is by
// `otherwise`. Throws: QueryError that shows how it is written.
AxisSelection read_selection(const std::string& text, const std::string& otherwise, const SweepRows& rows);

// What tuned sweeps select when nobody says otherwise: every tuned axis, by the metric that the sweep named.
struct TunedAxis {
  std::string name;    // full key, or of rows or zip
  std::string metric;  // "learning" where the sweep named none
};
// Throws: QueryError when two of the sweeps tune one axis by different metrics.
std::vector<TunedAxis> tuned_axes(const std::map<std::string, Tuning>& tunings);

// One row of the answer.
struct Chosen {
  Group group;  // of the chosen value; where none can be, all trials of the row, and nothing in place of its
                // values
  bool is_chosen = true;             // some value could be
  std::vector<std::string> remarks;  // for the row's note
};
struct Choice {
  std::vector<Chosen> rows;
  std::vector<std::string> notes;  // below the table
};

// Returns: of groups that agree in every axis of `by` but the selected ones, the best. `groups`: as
// group_trials(by) has them; the selected axes are among `by`. `not_started`: trials beside these that have no
// row yet.
Choice choose(const std::vector<Group>& groups, const std::vector<ResultAxis>& by,
              const std::vector<AxisSelection>& selections, int64_t not_started);

}  // namespace ranktide
