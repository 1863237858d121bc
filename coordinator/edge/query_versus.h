#pragma once
// Differences to a reference: `--vs method=full`. The same seed is the same order of data across methods and
// ranks, so that differences are taken seed by seed where three seeds or more are common; their interval is
// their own. Overlapping intervals of two means say nothing of their difference. Pure.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/edge/query_selection.h"

namespace ranktide {

class Versus {
 public:
  // A row's reference is the row whose trials `expression` holds for and that agrees with it in every axis of
  // `by`, but for those that the expression names, that are selected, on which the two sides have no value in
  // common (a rate of each method's own), and those that mean nothing to one of the two (the rank of a full
  // finetuning). What they start from (model.from) always has to be the same, unless the expression names it or
  // it is selected: the base is a start like any other. Throws: QueryError for a bad expression, when no row is
  // a reference, and when one has several. Outlives: `rows` must outlive this.
  Versus(const std::string& expression, const SweepRows& of_sweeps, const std::vector<Chosen>& rows,
         const std::vector<ResultAxis>& by, const std::vector<AxisSelection>& selections);

  // Returns: mean and half width of each metric that is no cost, two values each, absent where the row has no
  // reference.
  std::vector<Value> differences(size_t row, const std::vector<Metric>& metrics,
                                 const std::vector<Pools>& pools);
  // Returns: how the differences that were asked for so far were made.
  std::vector<std::string> notes() const;

 private:
  const std::vector<Chosen>& rows_;
  std::string expression_;
  std::map<size_t, size_t> reference_;  // by row
  bool is_paired_ = false;              // some difference is
  bool is_pooled_ = false;
  std::set<std::pair<size_t, int64_t>> unpaired_;  // row, seed
  std::set<size_t> otherwise_evaluated_;           // rows whose evals are not their reference's
  std::set<size_t> started_otherwise_;             // rows that lack a reference for that alone
};

std::vector<Column> difference_columns(const std::vector<Metric>& metrics);

}  // namespace ranktide
