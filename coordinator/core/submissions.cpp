// Sweeps as users hand them in.

#include <algorithm>

#include "common/sweep/eval_tasks.h"
#include "common/sweep/identity.h"
#include "common/sweep/last_eval.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/tuning.h"
#include "coordinator/core/warm_sources.h"

namespace ranktide {
namespace {

// Returns: what the spec's trials name and nobody has read; empty when all is there.
std::string missing_input(const SweepSpec& spec) {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const ModelSettings& model : wanted.models)
    if (!spec.inputs.models.contains(model_key(model))) return "model " + model.path;
  for (const WantedData& data : wanted.data) {
    const auto model = spec.inputs.models.find(model_key(data.model));
    if (model == spec.inputs.models.end()) return "model " + data.model.path;
    if (!spec.inputs.data.contains(data_key(data.data, model->second.tokenizer_sha256))) return "training data";
  }
  for (const std::string& file : wanted.files)
    if (!spec.inputs.files.contains(file)) return "eval data " + file;
  for (const std::string& from : wanted.sources)
    if (!spec.inputs.sources.contains(from)) return "the source " + from;
  return {};
}

// Whether one name stands for two evals: an axis may bring both to one cell, or two blocks that share it.
bool may_clash_in_evals(const SweepSpec& spec) {
  std::map<std::string, Json> named;
  bool clash = false;
  const auto look = [&](const SettingValues& set) {
    for (const char* role : {"eval.learn", "eval.retain"}) {
      const auto found = set.find(role);
      if (found == set.end()) continue;
      for (const auto& [name, task] : found->second.items())
        clash = clash || named.try_emplace(name, Json{role, task}).first->second != Json{role, task};
    }
  };
  for (const Block& block : spec.blocks) {
    look(block.constants);
    for (const Axis& axis : block.axes)
      for (const AxisPoint& point : axis.points) look(point.set);
    for (const IncludedCell& cell : block.include)
      for (const AxisPoint& point : cell.points) look(point.set);
  }
  return clash;
}

bool has_empty_data(const Inputs& inputs) {
  return std::any_of(inputs.data.begin(), inputs.data.end(),
                     [](auto& data) { return data.second.rows <= 0 || data.second.tokens <= 0; });
}

bool has_failures(const Sweep& sweep) {
  constexpr auto failed = static_cast<size_t>(UnitLife::failed);
  return sweep.stages[failed] + sweep.eval_units[failed] > 0;
}

bool ended_early(const Sweep& sweep) {
  return sweep.is_cancelled || sweep.is_stopped || has_failures(sweep);
}

// Whether something runs that an earlier revision began and nobody wants now.
bool has_left_running(const State& state, const Sweep& sweep) {
  return std::any_of(sweep.left_running.begin(), sweep.left_running.end(), [&](const UnitId& id) {
    const Unit& unit = state.units().at(id);
    return unit.life == UnitLife::running && unit.wanted.empty();
  });
}

// The trials that `sweep` has at these raw indices.
void add_stages(std::set<StageId>& out, const Sweep& sweep, int64_t from, int64_t to) {
  for (int64_t raw = from; raw < to; ++raw)
    if (const auto trial = sweep.trial_at(raw)) out.insert(trial->stage);
}

// A trunk is of what begins with it. An eval of the untouched base is everybody's, and stays.
bool is_listed(const Unit& unit, const std::set<StageId>& of_grid, const std::set<StageId>& added) {
  const auto has = [&](const StageId& stage) { return of_grid.contains(stage) || added.contains(stage); };
  if (unit.is_trunk())
    return std::any_of(unit.branches.begin(), unit.branches.end(),
                       [&](const auto& branch) { return has(StageId{branch.first.text}); });
  return !unit.stage || has(unit.stage->id);
}

bool is_wanted_by_others(const Unit& unit, SweepNumber sweep) {
  return unit.wanted.size() > unit.wanted.count(sweep);
}

// Of a trunk by others whose trials wait for it, too: they need not have asked for it.
bool is_its_alone(const State& state, const Unit& unit, SweepNumber sweep) {
  return !is_wanted_by_others(unit, sweep) &&
         std::none_of(unit.branches.begin(), unit.branches.end(), [&](const auto& entry) {
           const Unit& branch = state.units().at(entry.first);
           return branch.trunk == unit.id && is_wanted_by_others(branch, sweep);
         });
}

// Every cell once, so that listing later meets no cell that does not resolve, and what is not listed yet is
// counted all the same. What only the view of a whole trial shows is looked at where it can be at all.
SpecLook look_at(const SweepSpec& spec) {
  SpecLook out;
  try {
    const Grid grid(spec);
    out.trial_count = trial_count(spec, grid.counts());
    out.starting = starting_in(spec);
    if (may_clash_in_evals(spec) || has_empty_data(spec.inputs))
      for (int64_t raw = 0; raw < grid.raw_count(); ++raw) grid.at(raw);
    if (const auto why = last_eval_refusal(spec)) return {.fault = *why};
    for (const WantedEval& wanted : wanted_inputs(spec).evals)
      if (const auto why = unbuilt(wanted.spec)) return {.fault = *why};
    const std::string missing = missing_input(spec);
    if (!missing.empty())
      out.fault =
          missing + " was not read by the client, so trials have no identity; submit from where the inputs are";
  } catch (const SpecError& error) {
    return {.fault = error.what()};
  } catch (const ExpressionError& error) {
    return {.fault = error.what()};
  }
  return out;
}

}  // namespace

SpecLook look_at(const Submit& submit) {
  SpecLook out = look_at(submit.spec);
  if (!out.fault.empty() || !submit.cancel_removed) return out;
  try {
    const Sweep sweep{.grid = Grid(submit.spec)};
    add_stages(out.stages, sweep, 0, sweep.raw_count());
  } catch (const SpecError& error) {
    return {.fault = error.what()};
  } catch (const ExpressionError& error) {
    return {.fault = error.what()};
  }
  return out;
}

void Coordinator::on(const Submit& submit) {
  const std::string spec_sha256 = sha256_of(submit.spec);
  const auto earlier = state_.submissions().find(submit.request_id);
  if (earlier != state_.submissions().end())
    return reply(submit.reply_to, answer_again(submit, spec_sha256, earlier->second));
  const Sweep* known = state_.find_sweep(submit.spec.name);
  // The same file again changes nothing, unless there is something to try again, or to cancel after all.
  const bool is_same = known && known->spec_sha256 == spec_sha256 && !ended_early(*known);
  if (is_same && (!submit.cancel_removed || !has_left_running(state_, *known)))
    return reply(submit.reply_to, as_before(known->number, known->revision));
  if (known && known->owner != submit.actor && !submit.is_admin)
    return reply(submit.reply_to, Rejected{"sweep \"" + submit.spec.name + "\" belongs to " + known->owner +
                                           "; give yours another name (`name:` in the file)"});
  std::optional<SpecLook> own;
  if (!submit.looked) own = look_at(submit);
  const SpecLook& looked = submit.looked ? *submit.looked : *own;
  if (!looked.fault.empty()) return reply(submit.reply_to, Rejected{looked.fault});
  if (std::string why = source_refusal(state_, submit.spec, looked.starting, shelved_); !why.empty())
    return reply(submit.reply_to, Rejected{std::move(why)});

  std::vector<UnitId> removed;
  if (known && submit.cancel_removed) removed = removed_by(submit.spec, looked.stages, *known);
  if (is_same && removed.empty()) return reply(submit.reply_to, as_before(known->number, known->revision));
  Submitted submitted =
      begin_revision({.sweep = known ? known->number : static_cast<SweepNumber>(state_.sweeps().size()) + 1,
                      .revision = known ? known->revision + 1 : 1,
                      .request_id = submit.request_id,
                      .owner = known ? known->owner : submit.actor,
                      .spec_sha256 = spec_sha256,
                      .spec = submit.spec,
                      .actor = submit.actor,
                      .trial_count = looked.trial_count,
                      .removed = std::move(removed),
                      .cancel_removed = submit.cancel_removed ? std::optional(true) : std::nullopt});
  submitted.away = away_sources(state_, submit.spec, &looked.starting, shelved_);
  reply(submit.reply_to, std::move(submitted));
}

// Returns: the answer to what was submitted before, under the same request id.
decltype(Reply::answer) Coordinator::answer_again(const Submit& submit, const std::string& spec_sha256,
                                                  const Request& earlier) const {
  const std::string request = "request " + submit.request_id;
  if (earlier.spec_sha256 != spec_sha256)
    return Rejected{request + " was used for another sweep file; submit again with a new request id"};
  const bool asks_for_more = submit.cancel_removed && !earlier.cancels_removed;
  if (asks_for_more && has_left_running(state_, state_.sweeps().at(earlier.sweep)))
    return Rejected{request +
                    " was used without cancelling what the sweep lists no more, and some of that may run; "
                    "submit again with a new request id"};
  return as_before(earlier.sweep, earlier.revision);
}

// Returns: the answer to what changes nothing.
Submitted Coordinator::as_before(SweepNumber number, int revision) const {
  Submitted out{number, revision};
  const Sweep& sweep = state_.sweeps().at(number);
  if (!sweep.is_over()) out.away = away_sources(state_, sweep.grid.spec(), nullptr, shelved_);
  return out;
}

// `listed`: of the grid of `next`; what tuning had added, and `next` has a place for, is listed too.
std::vector<UnitId> Coordinator::removed_by(const SweepSpec& next, const std::set<StageId>& listed,
                                            const Sweep& sweep) const {
  Sweep grown{.grid = Grid(next)};
  for (const AddedCell& cell : still_fitting(sweep.added, grown.grid)) grown.add(cell);
  std::set<StageId> added;
  add_stages(added, grown, grown.grid.raw_count(), grown.raw_count());
  std::vector<UnitId> out;
  for (const auto& [worker, lease] : running_of(sweep)) {
    const Unit& unit = state_.units().at(lease.unit);
    if (is_its_alone(state_, unit, sweep.number) && !is_listed(unit, listed, added)) out.push_back(unit.id);
  }
  return out;
}

// What tuning added to the revision before stays, where the new one has a place for it.
Submitted Coordinator::begin_revision(SweepSubmitted submitted) {
  Submitted out{submitted.sweep, submitted.revision};
  SweepExtended kept{.sweep = submitted.sweep, .revision = submitted.revision, .cells = {}};
  Running were_running;
  if (const auto before = state_.sweeps().find(submitted.sweep); before != state_.sweeps().end()) {
    if (!before->second.added.empty()) kept.cells = still_fitting(before->second.added, Grid(submitted.spec));
    were_running = running_of(before->second);
  }
  decide(std::move(submitted));
  kill_unwanted(were_running);
  add_cells(std::move(kept));
  has_room_ = true;
  return out;
}

}  // namespace ranktide
