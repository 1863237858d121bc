// Sweeps as users hand them in.

#include <algorithm>

#include "common/sweep/eval_tasks.h"
#include "common/sweep/identity.h"
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
  return std::any_of(inputs.data.begin(), inputs.data.end(), [](auto& data) { return data.second.rows == 0; });
}

bool has_failures(const Sweep& sweep) {
  constexpr auto failed = static_cast<size_t>(UnitLife::failed);
  return sweep.stages[failed] + sweep.eval_units[failed] > 0;
}

bool ended_early(const Sweep& sweep) {
  return sweep.is_cancelled || sweep.is_stopped || has_failures(sweep);
}

}  // namespace

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

void Coordinator::on(const Submit& submit) {
  const std::string spec_sha256 = sha256_of(submit.spec);
  const auto earlier = state_.submissions().find(submit.request_id);
  if (earlier != state_.submissions().end()) {
    if (earlier->second.spec_sha256 == spec_sha256)
      return reply(submit.reply_to, Submitted{earlier->second.sweep, earlier->second.revision});
    return reply(submit.reply_to,
                 Rejected{"request " + submit.request_id +
                          " was used for another sweep file; submit again with a new request id"});
  }
  const Sweep* known = state_.find_sweep(submit.spec.name);
  // The same file again changes nothing, unless there is something to try again.
  if (known && known->spec_sha256 == spec_sha256 && !ended_early(*known))
    return reply(submit.reply_to, Submitted{known->number, known->revision});
  if (known && known->owner != submit.actor && !submit.is_admin)
    return reply(submit.reply_to, Rejected{"sweep \"" + submit.spec.name + "\" belongs to " + known->owner +
                                           "; give yours another name (`name:` in the file)"});
  std::optional<SpecLook> own;
  if (!submit.looked) own = look_at(submit.spec);
  const SpecLook& looked = submit.looked ? *submit.looked : *own;
  if (!looked.fault.empty()) return reply(submit.reply_to, Rejected{looked.fault});
  if (std::string why = source_refusal(state_, submit.spec, looked.starting); !why.empty())
    return reply(submit.reply_to, Rejected{std::move(why)});

  reply(submit.reply_to,
        begin_revision({.sweep = known ? known->number : static_cast<SweepNumber>(state_.sweeps().size()) + 1,
                        .revision = known ? known->revision + 1 : 1,
                        .request_id = submit.request_id,
                        .owner = known ? known->owner : submit.actor,
                        .spec_sha256 = spec_sha256,
                        .spec = submit.spec,
                        .actor = submit.actor,
                        .trial_count = looked.trial_count}));
}

// What tuning added to the revision before stays, where the new one has a place for it.
Submitted Coordinator::begin_revision(SweepSubmitted submitted) {
  const Submitted out{submitted.sweep, submitted.revision};
  SweepExtended kept{.sweep = submitted.sweep, .revision = submitted.revision, .cells = {}};
  if (const auto before = state_.sweeps().find(submitted.sweep); before != state_.sweeps().end())
    kept.cells = still_fitting(before->second.added, submitted.spec);
  decide(std::move(submitted));
  add_cells(std::move(kept));
  has_room_ = true;
  return out;
}

}  // namespace ranktide
