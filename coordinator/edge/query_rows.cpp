#include "coordinator/edge/query_rows.h"

#include <cmath>
#include <utility>

namespace ranktide {

namespace {

template <class T>
std::optional<T> optional_of(const Value& value) {
  if (const auto* v = std::get_if<T>(&value)) return *v;
  return std::nullopt;
}

std::string text_or_empty(const Value& value) {
  return optional_of<std::string>(value).value_or("");
}
int64_t integer_or_zero(const Value& value) {
  return optional_of<int64_t>(value).value_or(0);
}

TrialRow trial_row(const std::vector<Value>& v) {
  TrialRow row{.sweep = text_or_empty(v[0]),
               .trial = text_or_empty(v[1]),
               .cell = text_or_empty(v[2]),
               .base = text_or_empty(v[3]),
               .evalset = text_or_empty(v[4]),
               .block = text_or_empty(v[5]),
               .state = text_or_empty(v[6]),
               .message = text_or_empty(v[7]),
               .position = integer_or_zero(v[8]),
               .seed = integer_or_zero(v[9]),
               .step = integer_or_zero(v[10]),
               .steps = integer_or_zero(v[11]),
               .attempts = integer_or_zero(v[12]),
               .evals_declared = integer_or_zero(v[27]),
               .evals_open = integer_or_zero(v[28]),
               .is_exact = optional_of<int64_t>(v[13]).value_or(1) != 0,
               .numerics = optional_of<int64_t>(v[25]),
               .device = text_or_empty(v[26]),
               .settings = parse_json(text_or_empty(v[14])),
               .labels = from_json<std::map<std::string, std::string>>(parse_json(text_or_empty(v[15]))),
               .tokens = optional_of<int64_t>(v[16]),
               .seconds = optional_of<double>(v[17]),
               .memory_peak_bytes = optional_of<int64_t>(v[18]),
               .learning = optional_of<double>(v[19]),
               .gain = optional_of<double>(v[20]),
               .retained = optional_of<double>(v[21]),
               .forgetting = optional_of<double>(v[22]),
               .is_complete = integer_or_zero(v[23]) != 0,
               .is_silent = integer_or_zero(v[24]) != 0,
               .scores = {},
               .errors = {}};
  return row;
}

// The errors over items of one role's evals, on their way to that of their mean.
struct ErrorSum {
  double squares = 0;
  int64_t evals = 0;
  bool is_known = true;  // of every one so far

  void add(const std::optional<double>& error) {
    squares += error ? *error * *error : 0;
    ++evals;
    is_known = is_known && error;
  }
  std::optional<double> of_mean() const {
    if (!is_known || evals == 0) return std::nullopt;
    return std::sqrt(squares) / static_cast<double>(evals);
  }
};

void load_scores(const Reader& reader, const std::string& sweep, std::vector<TrialRow>& trials) {
  std::map<std::string, TrialRow*> by_id;
  for (auto& t : trials)
    if (t.sweep == sweep) by_id[t.trial] = &t;
  std::map<TrialRow*, std::pair<ErrorSum, ErrorSum>> sums;  // of learn and of retain
  const auto found = reader.select(
      "SELECT v.trial, v.task, v.score, v.stderr, v.role FROM v_eval v JOIN v_trial t USING (sweep, trial)"
      " WHERE v.sweep=?1 AND v.step=t.steps AND v.score IS NOT NULL",
      {sweep});
  for (const auto& v : found.rows) {
    TrialRow* const trial = by_id.at(text_or_empty(v[0]));
    const auto error = optional_of<double>(v[3]);
    trial->scores[text_or_empty(v[1])] = std::get<double>(v[2]);
    if (error) trial->errors[text_or_empty(v[1])] = *error;
    auto& [learn, retain] = sums[trial];
    (text_or_empty(v[4]) == "learn" ? learn : retain).add(error);
  }
  for (const auto& [trial, of_roles] : sums) {
    trial->learning_error = of_roles.first.of_mean();
    trial->retained_error = of_roles.second.of_mean();
  }
}

void load_evalsets(const Reader& reader, const std::string& sweep, std::vector<EvalsetRow>& evalsets) {
  const auto found = reader.select(
      "SELECT t.evalset, t.base, k.task, k.role, b.metric, b.sign*b.value, b.stderr FROM"
      " (SELECT evalset, base, min(position) AS first FROM v_trial WHERE sweep=?1 GROUP BY evalset, base) t"
      " JOIN evalset_task k ON k.evalset=t.evalset"
      " LEFT JOIN eval b ON b.subject=t.base AND b.spec=k.spec AND b.state='finished'"
      " ORDER BY t.first, t.evalset, t.base, k.role, k.task",
      {sweep});
  for (const auto& v : found.rows) {
    const std::string evalset = text_or_empty(v[0]);
    const std::string base = text_or_empty(v[1]);
    if (evalsets.empty() || evalsets.back().sweep != sweep || evalsets.back().evalset != evalset ||
        evalsets.back().base != base)
      evalsets.push_back({.sweep = sweep, .evalset = evalset, .base = base, .tasks = {}});
    evalsets.back().tasks.push_back({.name = text_or_empty(v[2]),
                                     .role = text_or_empty(v[3]),
                                     .metric = text_or_empty(v[4]),
                                     .base_score = optional_of<double>(v[5]),
                                     .base_error = optional_of<double>(v[6])});
  }
}

}  // namespace

SweepRows load_rows(const Reader& reader, const std::vector<std::string>& sweeps) {
  SweepRows rows;
  for (const auto& sweep : sweeps) {
    const auto found = reader.select(
        "SELECT t.sweep, t.trial, t.cell, t.base, t.evalset, t.block, t.state, t.message, t.position, t.seed, "
        "t.step,"
        " t.steps, t.attempts, t.exact, t.settings, t.labels, t.tokens, t.seconds, t.memory_peak_bytes, "
        "r.learning, r.gain,"
        " r.retained, r.forgetting, r.complete, r.silent, t.numerics, t.device, t.n_learn+t.n_retain,"
        " CASE WHEN t.state='completed' AND NOT coalesce(r.complete, 0) THEN"
        "  (SELECT count(*) FROM evalset_task k JOIN eval e ON e.spec=k.spec AND e.subject IN (t.base, t.stage)"
        "   WHERE k.evalset=t.evalset AND e.state='wanted' AND e.step IN (0, t.steps)) END"
        " FROM v_trial t LEFT JOIN v_result r ON r.sweep=t.sweep AND r.trial=t.trial AND r.final"
        " WHERE t.sweep=?1 ORDER BY t.position",
        {sweep});
    for (const auto& v : found.rows) rows.trials.push_back(trial_row(v));
    const auto untouched = reader.select("SELECT not_started FROM v_sweep WHERE sweep=?1", {sweep});
    rows.not_started += integer_or_zero(untouched.rows.at(0).at(0));
    load_scores(reader, sweep, rows.trials);
    load_evalsets(reader, sweep, rows.evalsets);
  }
  return rows;
}

}  // namespace ranktide
