#include "coordinator/edge/query_versus.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "common/sweep/expression.h"
#include "common/sweep/warm_start.h"
#include "common/vocabulary/readable.h"
#include "coordinator/edge/query.h"

namespace ranktide {

namespace {

constexpr size_t kPairsMin = 3;

std::vector<std::string> names_in(const std::string& expression) {
  try {
    return words_of(parse_expression(expression));
  } catch (const ExpressionError& error) {
    throw QueryError("--vs: " + std::string(error.what()));
  }
}

// Why nothing may be a reference yet; empty: it is not for that.
std::string to_come_text(const std::vector<std::string>& named, const SweepRows& rows) {
  for (const std::string& name : named)
    if (is_to_come(name, rows)) return " yet, for no trial that has " + name + " is listed so far";
  return rows.not_started > 0 ? " yet: " + counted(rows.not_started, "more trial") + " of the sweep " +
                                    (rows.not_started == 1 ? "is" : "are") + " not started"
                              : "";
}

bool is_compared(const ResultAxis& axis, const std::vector<std::string>& named,
                 const std::vector<AxisSelection>& selections) {
  const bool is_named = std::any_of(named.begin(), named.end(), [&](const std::string& name) {
    return name == axis.name || full_key(name).value_or(name) == axis.key;
  });
  const bool is_selected = std::any_of(selections.begin(), selections.end(),
                                       [&](const AxisSelection& s) { return is_same(s.axis, axis); });
  return !is_named && !is_selected;
}

// Which columns of two rows have to agree.
std::vector<bool> compared(const std::vector<ResultAxis>& by, const std::vector<std::string>& named,
                           const std::vector<AxisSelection>& selections) {
  std::vector<bool> out;
  for (const auto& axis : by) out.push_back(is_compared(axis, named, selections));
  return out;
}

Value start_value(const TrialRow& trial) {
  return axis_value({.name = kSourceKey, .key = kSourceKey}, trial);
}

// A label of several settings may tell where its trials start from: who names it names that.
bool tells_start(const std::string& label, const std::vector<TrialRow>& trials) {
  std::map<std::string, Value> starts;
  return std::all_of(trials.begin(), trials.end(), [&](const TrialRow& trial) {
    const auto found = trial.labels.find(label);
    return found != trial.labels.end() &&
           starts.try_emplace(found->second, start_value(trial)).first->second == start_value(trial);
  });
}

bool is_of_one_start(const std::vector<TrialRow>& trials, const std::vector<std::string>& named,
                     const std::vector<AxisSelection>& selections) {
  std::vector<std::string> names = named;
  for (const auto& selection : selections) names.push_back(selection.axis.key);
  return is_compared({.name = kSourceKey, .key = kSourceKey}, named, selections) &&
         std::none_of(names.begin(), names.end(),
                      [&](const std::string& name) { return tells_start(name, trials); });
}

// A row is of one cell, so that its trials start alike, whether or not the table shows from where.
bool start_alike(const Group& a, const Group& b) {
  return start_value(*a.trials.front()) == start_value(*b.trials.front());
}

bool agree(const std::vector<Value>& a, const std::vector<Value>& b, const std::vector<bool>& columns) {
  for (size_t c = 0; c < a.size(); ++c) {
    const bool is_absent =
        std::holds_alternative<std::monostate>(a[c]) || std::holds_alternative<std::monostate>(b[c]);
    if (columns[c] && !is_absent && a[c] != b[c]) return false;
  }
  return true;
}

// An axis on which no row has a value of a reference, as a rate that each method has of its own, tells nothing
// apart.
void leave_out_disjoint(std::vector<bool>& columns, const std::vector<Chosen>& rows,
                        const std::set<size_t>& references) {
  for (size_t c = 0; c < columns.size(); ++c) {
    std::set<Value> of_references;
    for (const size_t r : references) of_references.insert(rows[r].group.by[c]);
    bool is_common = false;
    for (size_t r = 0; r < rows.size(); ++r)
      is_common = is_common || (!references.contains(r) && of_references.contains(rows[r].group.by[c]));
    columns[c] = columns[c] && is_common;
  }
}

std::map<int64_t, double> by_seed(const Metric& metric, const Group& group) {
  std::map<int64_t, double> out;
  for (const auto* t : group.trials)
    if (const auto value = metric_value(metric, *t)) out[t->seed] = *value;
  return out;
}

struct Paired {
  std::vector<double> differences;
  std::vector<int64_t> unpaired;  // seeds
};

Paired paired(const std::map<int64_t, double>& a, const std::map<int64_t, double>& b) {
  Paired out;
  for (const auto& [seed, value] : a) {
    const auto other = b.find(seed);
    if (other == b.end())
      out.unpaired.push_back(seed);
    else
      out.differences.push_back(value - other->second);
  }
  for (const auto& [seed, value] : b)
    if (!a.contains(seed)) out.unpaired.push_back(seed);
  return out;
}

struct Difference {
  std::optional<double> mean;
  std::optional<double> half_width;
};

Difference of_pairs(const std::vector<double>& differences) {
  Pooled own;
  const Spread spread = spread_of(differences);
  own.add(spread);
  return {.mean = spread.mean, .half_width = own.half_width(spread.n)};
}

// Two samples, each with the pooled spread of its own cells.
Difference of_means(const Metric& metric, const Group& a, const Group& b, const Pools& pools) {
  const Spread left = spread_of(replicates(metric, a.trials));
  const Spread right = spread_of(replicates(metric, b.trials));
  if (left.n == 0 || right.n == 0) return {};
  const Pooled& of_left = pools.of(*a.trials.front());
  const Pooled& of_right = pools.of(*b.trials.front());
  Difference out{.mean = left.mean - right.mean, .half_width = {}};
  if (of_left.df == 0 || of_right.df == 0) return out;
  const auto variance = [](const Pooled& pool, int64_t n) {
    return pool.squares / static_cast<double>(pool.df) / static_cast<double>(n);
  };
  const int64_t df = of_left.df + (&of_left == &of_right ? 0 : of_right.df);
  out.half_width = t_critical(static_cast<double>(df), 0.95) *
                   std::sqrt(variance(of_left, left.n) + variance(of_right, right.n));
  return out;
}

bool is_of(const Group& group, const std::set<const TrialRow*>& trials) {
  return std::all_of(group.trials.begin(), group.trials.end(),
                     [&](const TrialRow* t) { return trials.contains(t); });
}

}  // namespace

Versus::Versus(const std::string& expression, const SweepRows& of_sweeps, const std::vector<Chosen>& rows,
               const std::vector<ResultAxis>& by, const std::vector<AxisSelection>& selections)
    : rows_(rows), expression_(expression) {
  const auto named = names_in(expression);
  auto columns = compared(by, named, selections);
  const bool compares_starts = is_of_one_start(of_sweeps.trials, named, selections);
  const auto passed = filter_trials(of_sweeps, expression);
  const std::set<const TrialRow*> of_reference(passed.begin(), passed.end());
  std::set<size_t> references;
  for (size_t r = 0; r < rows.size(); ++r)
    if (is_of(rows[r].group, of_reference)) references.insert(r);
  if (references.empty())
    throw QueryError("--vs '" + expression + "': no row is that" + to_come_text(named, of_sweeps) +
                     "; see the table without it");
  leave_out_disjoint(columns, rows, references);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const size_t reference : references) {
      if (references.contains(r) || !agree(rows[r].group.by, rows[reference].group.by, columns)) continue;
      if (compares_starts && !start_alike(rows[r].group, rows[reference].group)) {
        started_otherwise_.insert(r);
        continue;
      }
      if (!reference_.emplace(r, reference).second)
        throw QueryError("--vs '" + expression +
                         "' is more than one row for another; narrow it, or filter with --where");
    }
  }
  std::erase_if(started_otherwise_, [this](size_t row) { return reference_.contains(row); });
}

std::vector<Value> Versus::differences(size_t row, const std::vector<Metric>& metrics,
                                       const std::vector<Pools>& pools) {
  std::vector<Value> out;
  const auto reference = reference_.find(row);
  for (size_t m = 0; m < metrics.size(); ++m) {
    if (metrics[m].kind == Metric::Kind::cost) continue;
    Difference difference;
    if (reference != reference_.end() && rows_[row].is_chosen && rows_[reference->second].is_chosen) {
      const Group& other = rows_[reference->second].group;
      if (other.trials.front()->evalset != rows_[row].group.trials.front()->evalset)
        otherwise_evaluated_.insert(row);
      const Paired pairs = paired(by_seed(metrics[m], rows_[row].group), by_seed(metrics[m], other));
      const bool is_enough = pairs.differences.size() >= kPairsMin;
      for (const int64_t seed : pairs.unpaired)
        if (is_enough) unpaired_.emplace(row, seed);
      difference =
          is_enough ? of_pairs(pairs.differences) : of_means(metrics[m], rows_[row].group, other, pools[m]);
      (is_enough ? is_paired_ : is_pooled_) = true;
    }
    out.push_back(value_or_null(difference.mean));
    out.push_back(value_or_null(difference.half_width));
  }
  return out;
}

std::vector<std::string> Versus::notes() const {
  std::vector<std::string> out;
  if (is_paired_)
    out.push_back(
        fmt::format("delta = row − {}, by seed where three are common; its ± is of the differences themselves",
                    expression_));
  if (is_pooled_)
    out.push_back(
        fmt::format("{}of fewer common seeds than three it is the difference of the means, ± from the pooled "
                    "spreads of both",
                    is_paired_ ? "" : "delta = row − " + expression_ + "; "));
  if (is_paired_ && !unpaired_.empty())
    out.push_back(fmt::format(
        "{} no partner of {} seed and {} in no pair",
        counted(static_cast<int64_t>(unpaired_.size()), "trial") + (unpaired_.size() == 1 ? " has" : " have"),
        unpaired_.size() == 1 ? "its" : "their", unpaired_.size() == 1 ? "is" : "are"));
  if (!started_otherwise_.empty())
    out.push_back(fmt::format(
        "{} no reference that starts from the same (model.from); name from in --vs to compare different starts",
        counted(static_cast<int64_t>(started_otherwise_.size()), "row") +
            (started_otherwise_.size() == 1 ? " has" : " have")));
  if (!otherwise_evaluated_.empty())
    out.push_back(
        fmt::format("warning: {} by other evals than the reference, so that the difference is of what "
                    "is asked too",
                    counted(static_cast<int64_t>(otherwise_evaluated_.size()), "row") +
                        (otherwise_evaluated_.size() == 1 ? " is measured" : " are measured")));
  return out;
}

std::vector<Column> difference_columns(const std::vector<Metric>& metrics) {
  std::vector<Column> out;
  for (const auto& m : metrics) {
    if (m.kind == Metric::Kind::cost) continue;
    out.push_back({.name = "delta_" + m.name, .type = "number", .unit = m.unit});
    out.push_back({.name = "delta_" + m.name + "_ci",
                   .type = "number",
                   .unit = m.unit,
                   .role = Column::Role::half_width});
  }
  return out;
}

}  // namespace ranktide
