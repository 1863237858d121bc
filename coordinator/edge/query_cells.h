#pragma once
// Means and intervals: trials -> groups of replicates -> columns. The one place that turns seeds into ±; the
// views do the same in SQL, and a test holds them equal. Pure.

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/edge/query_axes.h"
#include "coordinator/edge/query_frame.h"
#include "coordinator/edge/query_rows.h"
#include "coordinator/edge/statistics.h"

namespace ranktide {

// What a query can show of a trial.
struct Metric {
  enum class Kind {
    score,
    eval,
    cost
  };  // scores and evals get intervals and need a complete trial; costs do not
  std::string name;
  std::string unit;
  Kind kind = Kind::score;
};

// Throws: QueryError with the metrics there are.
Metric find_metric(const std::string& name, const std::vector<EvalsetRow>& evalsets);

// Returns: the trial's value; nullopt where it must be in no mean.
std::optional<double> metric_value(const Metric& metric, const TrialRow& trial);

// Whether it has an error over the items of its evals: what is measured against the base has none that is
// known, as both answer the same items.
bool has_sampling_error(const Metric& metric);
// Returns: that error of one trial, or, as all seeds answer the same items, the mean of a row's; nullopt where
// one is not told. It says how far other items of the same kind might differ, and is in no interval over seeds.
std::optional<double> sampling_error(const Metric& metric, const TrialRow& trial);
std::optional<double> sampling_error(const Metric& metric, const std::vector<const TrialRow*>& trials);

// Returns: a metric's columns in a table of cells: it, and but for costs its ±, the row's own ± and the error
// over items.
std::vector<Column> columns_of(const Metric& metric);
Column sampling_error_column(const Metric& metric);  // shown beside an eval; a detail beside means of several

// One row of the answer: the replicates that agree in every named axis.
struct Group {
  std::vector<Value> by;
  std::vector<const TrialRow*> trials;  // not empty, of one cell
  int64_t complete() const;
};

// Returns: groups in reading order (numbers ascending, texts as they first appear, absent values first).
// Throws: QueryError when a group holds several cells; it lists the axes in which they differ.
std::vector<Group> group_trials(const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by);

// Spreads of one metric, pooled over the cells of the same sweep, method and evalset: all of them, filtered out
// or not.
class Pools {
 public:
  Pools(const Metric& metric, const std::vector<TrialRow>& all);
  const Pooled& of(const TrialRow& trial) const;
  // Returns: the smallest probability of spreads as unequal as any pool's, by Bartlett's test; with the pool's
  // name.
  std::vector<std::pair<std::string, double>> unequal(double below) const;

 private:
  struct Pool {
    std::string name;  // "lora (math)"
    Pooled pooled;
    std::vector<Spread> cells;
  };
  using Key = std::tuple<std::string, std::string, std::string, std::string>;  // sweep, method, evalset, start
  static Key key_of(const TrialRow& trial);
  std::map<Key, Pool> pools_;
};

// Returns: the group's values of one metric, without those that must be in no mean.
std::vector<double> replicates(const Metric& metric, const std::vector<const TrialRow*>& trials);

// Returns: what a trial's pool is called: "lora (math)".
std::string pool_name(const TrialRow& trial);

// Returns: why a trial that completed is in no mean.
const char* what_it_lacks(const TrialRow& trial);

// Returns: why fewer than all trials are in the mean, and what else to know: "2 of 3, 1 diverged"; empty if
// nothing. `df`: of its intervals; nullopt when no metric has one.
std::string group_note(const Group& group, std::optional<int64_t> df);

}  // namespace ranktide
