#include "coordinator/core/records.h"

#include <array>

namespace ranktide {
namespace {

// In the order of the variant; permanent.
constexpr std::array<std::string_view, std::variant_size_v<Record>> kKinds{
    "EpochStarted",     "SweepSubmitted",     "TrialListed",   "SweepListed",   "WorkerJoined",
    "WorkerLeft",       "LeaseGranted",       "LeaseExpired",  "LeaseRevived",  "LeaseReturned",
    "CheckpointSaved",  "EvalFinished",       "UnitFinished",  "AttemptFailed", "SweepCancelled",
    "SweepPaused",      "SweepResumed",       "SweepStopped",  "PolicyChanged", "QuotaSet",
    "WorkerDrainAsked", "TrialsCancelled",    "TrialRetried",  "WorkerRevoked", "WorkerForgotten",
    "BranchesOpened",   "TrunkDropped",       "SweepExtended", "TrunkReopened", "BranchesClosed",
    "CellStoppedEarly", "EarlyVerdictsLifted"};

template <size_t... I>
std::optional<Record> read_as(size_t kind, const Json& body, std::index_sequence<I...>) {
  std::optional<Record> out;
  ((kind == I ? void(out = from_json<std::variant_alternative_t<I, Record>>(body)) : void()), ...);
  return out;
}

std::string brief(const Lease& lease) {
  return lease.unit.brief() + "/" + std::to_string(lease.attempt);
}
std::string sweep_text(SweepNumber sweep, int revision) {
  return "sweep " + std::to_string(sweep) + "." + std::to_string(revision);
}
std::string branches_text(const std::vector<BranchOrder>& branches) {
  std::string out;
  for (const BranchOrder& branch : branches)
    out += ", stage " + branch.stage.brief() + " at step " + std::to_string(branch.at);
  return out;
}
std::string limit_text(const std::optional<int>& limit) {
  return limit ? std::to_string(*limit) : "unlimited";
}

struct Describe {
  std::string operator()(const EpochStarted& r) const { return std::to_string(r.epoch); }
  std::string operator()(const SweepSubmitted& r) const {
    std::string out = sweep_text(r.sweep, r.revision) + ", " + r.spec.name + ", request " + r.request_id;
    for (const UnitId& unit : r.removed) out += ", cancels " + unit.brief();
    return out;
  }
  std::string operator()(const TrialListed& r) const {
    return sweep_text(r.sweep, r.revision) + ", trial " + r.trial.id.brief() + ", stage " +
           r.trial.stage.brief() + (r.ahead ? ", ahead" : "") +
           (r.trunk ? ", from step " + std::to_string(r.trunk->at) + " of trunk " + r.trunk->trunk.brief()
                    : "");
  }
  std::string operator()(const SweepListed& r) const { return sweep_text(r.sweep, r.revision); }
  std::string operator()(const SweepExtended& r) const {
    std::string out = sweep_text(r.sweep, r.revision);
    for (const AddedCell& cell : r.cells) {
      out += ", " + cell.block + ":";
      for (const AxisPoint& point : cell.points)
        if (!point.label.empty()) out += " " + point.label;
    }
    return out;
  }
  std::string operator()(const WorkerJoined& r) const {
    return r.worker.text + ", boot " + r.boot + ", slots " + std::to_string(r.slots.size());
  }
  std::string operator()(const WorkerLeft& r) const {
    return r.worker.text + ", boot " + r.boot + ", " + std::string(text_of(r.reason));
  }
  std::string operator()(const LeaseGranted& r) const {
    std::string out = brief(r.lease) + ", " + r.worker.text + ", evals " + std::to_string(r.evals.size());
    if (r.microbatch > 0) out += ", microbatch " + std::to_string(r.microbatch);
    if (r.trunk_to) out += ", a trunk up to step " + std::to_string(*r.trunk_to);
    return out;
  }
  std::string operator()(const LeaseExpired& r) const { return brief(r.lease); }
  std::string operator()(const LeaseRevived& r) const { return brief(r.lease); }
  std::string operator()(const LeaseReturned& r) const {
    return brief(r.lease) + ", step " + std::to_string(r.step);
  }
  std::string operator()(const CheckpointSaved& r) const {
    return brief(r.lease) + ", step " + std::to_string(r.step);
  }
  std::string operator()(const EvalFinished& r) const {
    return brief(r.lease) + ", eval " + r.result.id.brief();
  }
  std::string operator()(const UnitFinished& r) const {
    return brief(r.lease) + ", " + std::string(text_of(r.outcome.kind)) + " at step " +
           std::to_string(r.outcome.step);
  }
  std::string operator()(const AttemptFailed& r) const {
    std::string out = brief(r.lease) + ", " + std::string(text_of(r.outcome.kind));
    if (r.microbatch_next > 0) out += ", microbatch next " + std::to_string(r.microbatch_next);
    return out + (r.last ? ", last" : ", again after " + std::to_string(r.retry_after_ms) + " ms");
  }
  std::string operator()(const SweepCancelled& r) const { return "sweep " + std::to_string(r.sweep); }
  std::string operator()(const SweepPaused& r) const { return "sweep " + std::to_string(r.sweep); }
  std::string operator()(const SweepResumed& r) const { return "sweep " + std::to_string(r.sweep); }
  std::string operator()(const SweepStopped& r) const { return "sweep " + std::to_string(r.sweep); }
  std::string operator()(const PolicyChanged& r) const {
    return "sweep " + std::to_string(r.sweep) + ", priority " + std::to_string(r.priority) + ", parallel " +
           limit_text(r.max_parallel);
  }
  std::string operator()(const QuotaSet& r) const { return r.owner + ", slots " + limit_text(r.max_slots); }
  std::string operator()(const WorkerDrainAsked& r) const { return r.worker.text + ", boot " + r.boot; }
  std::string operator()(const TrialsCancelled& r) const {
    std::string out = "sweep " + std::to_string(r.sweep);
    for (const StageId& stage : r.stages) out += ", stage " + stage.brief();
    return out;
  }
  std::string operator()(const TrialRetried& r) const {
    return sweep_text(r.sweep, r.revision) + ", trial " + r.trial.id.brief() + ", stage " +
           r.trial.stage.brief();
  }
  std::string operator()(const WorkerRevoked& r) const { return r.worker.text + ", by " + r.actor; }
  std::string operator()(const WorkerForgotten& r) const { return r.worker.text + ", by " + r.actor; }
  std::string operator()(const BranchesOpened& r) const { return brief(r.lease) + branches_text(r.branches); }
  std::string operator()(const TrunkReopened& r) const { return brief(r.lease) + branches_text(r.branches); }
  std::string operator()(const CellStoppedEarly& r) const {
    const EarlyVerdict& v = r.verdict;
    std::string out = sweep_text(r.sweep, r.revision) + ", rung " + std::to_string(v.rung) + " at step " +
                      std::to_string(v.at) + ", place " + std::to_string(v.place) + " of " +
                      std::to_string(v.of);
    for (const StageId& stage : r.stages) out += ", stage " + stage.brief();
    return out;
  }
  std::string operator()(const EarlyVerdictsLifted& r) const {
    return sweep_text(r.sweep, r.revision) + ", cells " + std::to_string(r.cells.size());
  }
  std::string operator()(const BranchesClosed& r) const {
    std::string out = brief(r.lease);
    for (const Lease& branch : r.branches) out += ", stage " + brief(branch);
    return out;
  }
  std::string operator()(const TrunkDropped& r) const {
    return "sweep " + std::to_string(r.sweep) + ", trunk " + r.unit.brief() + (r.ended ? ", ended" : "");
  }
};

}  // namespace

std::string_view kind_of(const Record& record) {
  return kKinds.at(record.index());
}

std::string to_journal(const Record& record) {
  // A trainer's log tail is bytes; the journal is text. What is not UTF-8 in it becomes U+FFFD.
  return std::visit(
      [](const auto& r) { return to_json(r).dump(-1, ' ', false, Json::error_handler_t::replace); }, record);
}

Record from_journal(std::string_view kind, std::string_view body) {
  for (size_t i = 0; i < kKinds.size(); ++i)
    if (kKinds[i] == kind)
      return *read_as(i, parse_json(body), std::make_index_sequence<std::variant_size_v<Record>>{});
  throw ProtocolError("journal: unknown record kind \"" + std::string(kind) +
                      "\"; the folder was written by a newer ranktide, use that version or later");
}

std::string describe(const Record& record) {
  return std::string(kind_of(record)) + "{" + std::visit(Describe{}, record) + "}";
}

}  // namespace ranktide
