// Users' hands on some trials of a sweep while the others go on.

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>

#include "common/sweep/identity.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/needs.h"

namespace ranktide {
namespace {

bool has_failed(const State& state, const UnitId& id) {
  const Unit* unit = state.find_unit(id);
  return unit && unit->life == UnitLife::failed;
}

bool has_failed(const State& state, const SweepTrial& trial) {
  if (has_failed(state, unit_of(trial.stage))) return true;
  for (const EvalTask& task : trial.evals) {
    if (has_failed(state, unit_of(eval_id(base_subject(trial), task.spec_id)))) return true;
    for (const Step at : trial.eval_at)
      if (has_failed(state, unit_of(eval_id(trial.stage, at, task.spec_id)))) return true;
  }
  return false;
}

// Whether the sweep has listed the trial and waits for it no more, although it may have no result.
bool may_be_retried(const State& state, const Sweep& sweep, const SweepTrial& trial) {
  if (!sweep.trials.contains(trial.index)) return false;
  const Unit& unit = state.units().at(unit_of(trial.stage));
  return sweep.dropped.contains(unit.id) || unit.life == UnitLife::cancelled || has_failed(state, trial);
}

bool is_open(const State& state, const Sweep& sweep, const UnitId& id) {
  const Unit* unit = state.find_unit(id);
  return unit && unit->stage && unit->wanted.contains(sweep.number);
}

// Whether something of the trial waits or runs for the sweep: its stage, or evals of its kept weights.
bool is_open(const State& state, const Sweep& sweep, const SweepTrial& trial) {
  if (is_open(state, sweep, unit_of(trial.stage))) return true;
  for (const EvalTask& task : trial.evals)
    for (const Step at : trial.eval_at)
      if (at > 0 && is_open(state, sweep, unit_of(eval_id(trial.stage, at, task.spec_id)))) return true;
  return false;
}

// An eval of the untouched base is of many trials; one of them that is tried again has it run again for all.
std::optional<int64_t> first_trial_with(const State& state, const Sweep& sweep, const Unit& base_eval) {
  for (const auto& [raw, stage] : sweep.trials) {
    if (state.units().at(unit_of(stage)).base != base_eval.base) continue;
    const auto trial = sweep.trial_at(raw);
    if (!trial || sweep.races.verdicts.contains(trial->cell)) continue;
    for (const EvalTask& task : trial->evals)
      if (unit_of(eval_id(base_subject(*trial), task.spec_id)) == base_eval.id) return raw;
  }
  return std::nullopt;
}

bool is_out(const Sweep& sweep, const StageId& stage) {
  const auto cell = sweep.races.cells.find(stage);
  return cell != sweep.races.cells.end() && sweep.races.verdicts.contains(cell->second);
}

// Found by their units, so that a million trials that are well cost nothing. Values that were stopped early are
// passed over: who wants one of them names it.
std::set<int64_t> failed_trials(const State& state, const Sweep& sweep) {
  std::set<int64_t> out;
  for (const UnitId& id : sweep.failed) {
    const Unit& unit = state.units().at(id);
    const int64_t place = unit.wanted.at(sweep.number);
    const auto raw = place >= 0 ? std::optional(place) : first_trial_with(state, sweep, unit);
    if (raw && !is_out(sweep, sweep.trials.at(*raw))) out.insert(*raw);
  }
  return out;
}

constexpr size_t kFailedAtOnce = 1'000;  // each is a record, and the turn waits for them

struct Found {
  std::vector<SweepTrial> trials;
  std::string fault;       // for people; empty: each prefix means one trial
  size_t more_failed = 0;  // beyond kFailedAtOnce
};

// A journal may hold a sweep from before look_at() saw a fault of its cells: who names its trials is told so.
std::string unresolved_text(const Sweep& sweep, const std::string& fault) {
  return "trials of sweep \"" + sweep.name() + "\" cannot be looked for: " + fault +
         "; submit the mended file again, or cancel the whole sweep";
}

Found found_in(const State& state, const Sweep& sweep, const TrialChoice& choice) {
  const bool is_known = choice.looked && choice.looked->revision == sweep.revision;
  const TrialsLook look = is_known                  ? *choice.looked
                          : choice.prefixes.empty() ? TrialsLook{}
                                                    : look_for(choice.prefixes, sweep);
  Found out{.trials = {}, .fault = look.fault, .more_failed = 0};
  std::set<int64_t> chosen(look.trials.begin(), look.trials.end());
  if (choice.failed) {
    const std::set<int64_t> failed = failed_trials(state, sweep);
    const auto end =
        std::next(failed.begin(), static_cast<std::ptrdiff_t>(std::min(failed.size(), kFailedAtOnce)));
    chosen.insert(failed.begin(), end);
    out.more_failed = failed.size() - std::min(failed.size(), kFailedAtOnce);
  }
  for (const int64_t raw : chosen)  // what an older version listed may be excluded by this one's rules
    if (auto trial = sweep.trial_at(raw)) out.trials.push_back(*std::move(trial));
  return out;
}

Found find(const State& state, const Sweep& sweep, const TrialChoice& choice) {
  try {
    return found_in(state, sweep, choice);
  } catch (const SpecError& error) {
    return {.trials = {}, .fault = unresolved_text(sweep, error.what())};
  } catch (const ExpressionError& error) {
    return {.trials = {}, .fault = unresolved_text(sweep, error.what())};
  }
}

std::string why_not(const Sweep& sweep, SweepAction action) {
  if (action == SweepAction::cancel) return sweep.is_over() ? "has ended; there is nothing to cancel" : "";
  if (!sweep.is_cancelled && !sweep.is_stopped) return "";
  return std::string(sweep.is_cancelled ? "is cancelled" : "is stopped") +
         "; retry the whole sweep, or submit it again";
}

std::string trials_text(size_t n) {
  return std::to_string(n) + (n == 1 ? " trial" : " trials");
}

}  // namespace

TrialsLook look_for(const std::vector<std::string>& prefixes, const Sweep& sweep) {
  TrialsLook out{.revision = sweep.revision, .trials = {}, .fault = ""};
  std::vector<int> matches(prefixes.size());
  for (int64_t raw = 0; raw < sweep.raw_count(); ++raw) {
    const std::optional<SweepTrial> trial = sweep.trial_at(raw);
    if (!trial) continue;
    const int before = std::accumulate(matches.begin(), matches.end(), 0);
    for (size_t i = 0; i < matches.size(); ++i) matches[i] += trial->id.text.starts_with(prefixes[i]) ? 1 : 0;
    if (std::accumulate(matches.begin(), matches.end(), 0) > before) out.trials.push_back(raw);
  }
  const std::string of_sweep = "of sweep \"" + sweep.name() + "\"; ";
  for (size_t i = 0; i < matches.size(); ++i) {
    const std::string which = "\"" + prefixes[i] + "\" begins ";
    if (matches[i] == 0) out.fault = which + "no trial " + of_sweep + "`ranktide plan --list` names them";
    if (matches[i] > 1)
      out.fault = which + std::to_string(matches[i]) + " trials " + of_sweep + "give more of the id";
  }
  return out;
}

void Coordinator::on(const ControlTrials& control) {
  RT_CHECK(control.action == SweepAction::cancel || control.action == SweepAction::retry);
  const Sweep* sweep = state_.find_sweep(control.sweep);
  if (!sweep) return reply(control.reply_to, no_sweep(control.sweep));
  if (const std::string reason = why_not(*sweep, control.action); !reason.empty())
    return reply(control.reply_to, Rejected{"sweep \"" + control.sweep + "\" " + reason});
  const Found found = find(state_, *sweep, control.trials);
  if (!found.fault.empty()) return reply(control.reply_to, Rejected{found.fault});
  std::string now = control.action == SweepAction::cancel ? cancel_trials(*sweep, control, found.trials)
                                                          : retry_trials(*sweep, control, found.trials);
  if (found.more_failed > 0)
    now += "; " + std::to_string(found.more_failed) + " more failed: ask again for them";
  has_room_ = true;
  reply(control.reply_to, Controlled{"sweep " + control.sweep + ": " + now});
}

// A trial whose turn has not come is listed ahead of it: what is cancelled must be known by name after a
// restart. Of a stopped sweep nothing more starts, so that nothing more is listed.
std::string Coordinator::cancel_trials(const Sweep& sweep, const ControlTrials& control,
                                       const std::vector<SweepTrial>& trials) {
  const bool may_list = !sweep.is_listed && !sweep.is_stopped;
  TrialsCancelled cancelled{sweep.number, control.request_id, control.actor, {}};
  for (const SweepTrial& trial : trials) {
    if (may_list && !trial.provisional && !sweep.trials.contains(trial.index)) list_ahead(sweep, trial);
    if (is_open(state_, sweep, trial)) cancelled.stages.push_back(trial.stage);
  }
  const size_t n = cancelled.stages.size();
  if (n == 0) return "nothing of what was named waits or runs";
  const Running were_running = running_of(sweep);
  decide(std::move(cancelled));
  for (const UnitId& trunk : open_trunks_of(sweep))
    if (!has_open_branch(state_.units().at(trunk), sweep)) drop_trunk(sweep, trunk);
  kill_unwanted(were_running);
  for (const SweepTrial& trial : trials)
    if (const Unit* unit = state_.find_unit(unit_of(trial.stage)); unit && is_terminal(unit->life))
      backoffs_.erase(unit->id);
  return trials_text(n) + " cancelled; the others go on";
}

std::string Coordinator::retry_trials(const Sweep& sweep, const ControlTrials& control,
                                      const std::vector<SweepTrial>& trials) {
  size_t n = 0;
  for (const SweepTrial& trial : trials) {
    if (!may_be_retried(state_, sweep, trial)) continue;
    const PredictedMemory memory =
        predicted_memory(sweep.grid.spec().inputs, trial.settings, sweep.run.microbatch);
    decide(TrialRetried{sweep.number, sweep.revision, control.request_id, control.actor, trial, memory});
    ++n;
  }
  return n == 0 ? "nothing of what was named has failed or was cancelled" : trials_text(n) + " tried again";
}

}  // namespace ranktide
