// What users ask for: sweeps, and the end of sweeps.

#include "common/sweep/identity.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/coordinator.h"

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
  return {};
}

// Looks at every cell once, so that listing later meets no cell that does not resolve.
std::optional<std::string> fault_of(const SweepSpec& spec) {
  try {
    Grid(spec).counts();
  } catch (const SpecError& error) {
    return error.what();
  }
  if (const auto wrong = keep_refusal(spec)) return wrong;
  const std::string missing = missing_input(spec);
  if (missing.empty()) return std::nullopt;
  return missing + " was not read by the client, so trials have no identity; submit from where the inputs are";
}

bool has_failures(const Sweep& sweep) {
  constexpr auto failed = static_cast<size_t>(UnitLife::failed);
  return sweep.stages[failed] + sweep.eval_units[failed] > 0;
}

}  // namespace

void Coordinator::on(const Submit& submit) {
  const std::string spec_sha256 = sha256_hex(to_json(submit.spec).dump());
  const auto earlier = state_.submissions().find(submit.request_id);
  if (earlier != state_.submissions().end()) {
    if (earlier->second.spec_sha256 == spec_sha256)
      return reply(submit.reply_to, Submitted{earlier->second.sweep, earlier->second.revision});
    return reply(submit.reply_to,
                 Rejected{"request " + submit.request_id +
                          " was used for another sweep file; submit again with a new request id"});
  }
  const Sweep* known = state_.find_sweep(submit.spec.name);
  // The same file again changes nothing, unless there is something to try again: failures, or a cancelled
  // sweep.
  if (known && known->spec_sha256 == spec_sha256 && !known->is_cancelled && !has_failures(*known))
    return reply(submit.reply_to, Submitted{known->number, known->revision});
  if (const auto fault = fault_of(submit.spec)) return reply(submit.reply_to, Rejected{*fault});

  SweepSubmitted submitted{
      .sweep = known ? known->number : static_cast<SweepNumber>(state_.sweeps().size()) + 1,
      .revision = known ? known->revision + 1 : 1,
      .request_id = submit.request_id,
      .spec_sha256 = spec_sha256,
      .spec = submit.spec};
  const Submitted answer{submitted.sweep, submitted.revision};
  decide(std::move(submitted));
  has_room_ = true;
  reply(submit.reply_to, answer);
}

void Coordinator::on(const Cancel& cancel) {
  const Sweep* sweep = state_.find_sweep(cancel.sweep);
  if (!sweep)
    return reply(cancel.reply_to,
                 Rejected{"there is no sweep \"" + cancel.sweep + "\"; `ranktide status` lists them"});
  if (!sweep->is_cancelled && sweep->is_over())
    return reply(cancel.reply_to,
                 Rejected{"sweep \"" + cancel.sweep + "\" is finished already; nothing to cancel"});
  if (!sweep->is_cancelled) cancel_sweep(*sweep, cancel.request_id);
  reply(cancel.reply_to, Cancelled{sweep->number});
}

void Coordinator::cancel_sweep(const Sweep& sweep, const std::string& request_id) {
  const SweepNumber number = sweep.number;
  const std::set<UnitId> units = sweep.units;
  std::vector<std::pair<WorkerName, Lease>> were_running;
  for (const UnitId& id : units) {
    const Unit& unit = state_.units().at(id);
    if (unit.life == UnitLife::running) were_running.emplace_back(unit.attempt.worker, unit.lease());
  }
  decide(SweepCancelled{number, request_id});
  for (const auto& [worker, lease] : were_running) {
    if (state_.units().at(lease.unit).life == UnitLife::running) continue;  // another sweep wants it
    forget_term(lease.unit);
    send(worker, Stop{lease, StopKind::kill});
    leave_if_drained(worker);
  }
  for (const UnitId& id : units)
    if (is_terminal(state_.units().at(id).life)) backoffs_.erase(id);
}

// run.max_failures: so many failed trials mean that the sweep itself is wrong.
void Coordinator::stop_hopeless_sweeps(const UnitId& failed) {
  const auto wanted = state_.units().at(failed).wanted;
  for (const auto& [number, place] : wanted) {
    const Sweep& sweep = state_.sweeps().at(number);
    const auto& limit = sweep.grid.spec().run.max_failures;
    const auto failures = sweep.stages[static_cast<size_t>(UnitLife::failed)];
    if (limit && failures >= *limit && !sweep.is_over()) cancel_sweep(sweep, "max_failures");
  }
}

}  // namespace ranktide
