#include "cli/sweep_watch.h"

#include <algorithm>

#include "cli/remote_watch.h"
#include "cli/trial_label.h"
#include "common/sweep/identity.h"
#include "coordinator/edge/query_status.h"

namespace ranktide::cli {
namespace {

// A large sweep's trials are called by their ids: a label for each would cost more than all of the watching.
std::map<std::string, std::string> labels_of(const SweepPlan& plan) {
  std::map<std::string, std::string> labels;
  if (plan.trials() > kComparedMax) return labels;
  for_each_trial(plan, [&](const PlannedTrial& planned) {
    const SweepTrial& trial = planned.trial;
    labels[trial.stage.text] = label_of(trial);
    for (const EvalTask& task : trial.evals) {
      labels[eval_id(base_subject(trial), task.spec_id).text] = "base " + task.name;
      labels[eval_id(trial.stage, trial.steps, task.spec_id).text] = label_of(trial) + " " + task.name;
    }
  });
  return labels;
}

// Returns: how people call a trunk, by the trial that leaves it last; empty for another unit.
std::string label_of_trunk(const Reader& reader, const std::map<std::string, std::string>& labels,
                           const UnitId& unit) {
  const auto found = reader.select(
      "SELECT g.id, max(b.at), count(*) FROM branch b JOIN stage g ON g.number=b.stage WHERE b.trunk=?1",
      {unit.text});
  const int64_t trials = std::get<int64_t>(found.rows.at(0).at(2));
  if (trials == 0) return "";
  const auto label = labels.find(std::get<std::string>(found.rows[0][0]));
  return (label == labels.end() ? unit.brief() : label->second) + ", the beginning of " +
         std::to_string(trials);
}

// Returns: the trial of a unit that no plan knew, as the cells are that a tuned axis grows by; the unit, where
// it is of none.
std::string label_of_added(const Reader& reader, const UnitId& unit) {
  const auto found = reader.select(
      "SELECT t.id FROM trial t JOIN stage g ON g.number=t.stage WHERE g.id=?1 LIMIT 1", {unit.text});
  return found.rows.empty() ? unit.brief()
                            : "trial " + TrialId{std::get<std::string>(found.rows[0][0])}.brief();
}

// Where each unit runs: what the coordinator's picture of progress does not tell.
std::map<std::string, std::string> places_in(const Reader& reader) {
  std::map<std::string, std::string> out;
  for (const auto& row : reader.select("SELECT unit, worker, slots FROM attempt WHERE ended IS NULL").rows)
    out[std::get<std::string>(row[0])] = std::get<std::string>(row[1]) + ":" + std::get<std::string>(row[2]);
  return out;
}

// A unit that waits for its turn, or for the end of its back-off, is ready and fits.
bool nothing_can_start(const SweepStatus& status) {
  return status.waiting && status.running.empty() && status.evals_running == 0 &&
         status.waiting->trials == trials_in(status, "ready") && status.waiting->evals == status.evals_missing;
}

}  // namespace

SweepWatch::SweepWatch(const std::filesystem::path& data, const SweepPlan& plan, const GlobalOptions& globals)
    : reader_(data),
      sweep_(plan.spec.name),
      trials_total_(plan.trials()),
      labels_(labels_of(plan)),
      drawing_(globals),
      started_(std::chrono::steady_clock::now()) {}

bool SweepWatch::refresh(const LivePicture& live) {
  bool finished = false;
  const LiveFrame frame = frame_of(live, finished);
  drawing_.show(frame);
  return finished;
}

std::string SweepWatch::stuck() const {
  const bool is_stuck =
      nothing_fits_since_ && std::chrono::steady_clock::now() - *nothing_fits_since_ >= kStuckAfter;
  return is_stuck ? waiting_ : "";
}

LiveFrame SweepWatch::frame_of(const LivePicture& live, bool& finished) {
  const auto status = sweep_status(reader_, sweep_);
  LiveFrame frame{.sweep = sweep_, .total = trials_total_};
  frame.elapsed_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  if (!status) return frame;                                  // the submission is not committed yet
  frame.total = std::max(frame.total, status->trials_total);  // a tuned axis grows
  frame.diverged = trials_in(*status, "diverged");
  frame.done = trials_in(*status, "completed") + frame.diverged;
  frame.failed = trials_in(*status, "failed") + trials_in(*status, "cancelled");
  frame.stopped_early = trials_in(*status, "stopped_early");
  const int64_t ended = frame.done + frame.failed + frame.stopped_early;
  if (!ended_at_start_) ended_at_start_ = ended;
  // By whole trials, evals and pauses included.
  if (ended > *ended_at_start_)
    frame.left_seconds = frame.elapsed_seconds * static_cast<double>(frame.total - ended) /
                         static_cast<double>(ended - *ended_at_start_);
  const auto places = places_in(reader_);
  for (const Progress& p : live.progress) {
    const auto label = labels_.find(p.lease.unit.text);
    const auto place = places.find(p.lease.unit.text);
    const std::string trunk = label == labels_.end() ? label_of_trunk(reader_, labels_, p.lease.unit) : "";
    const std::string unnamed = trunk.empty() ? label_of_added(reader_, p.lease.unit) : trunk;
    frame.running.push_back({.label = label == labels_.end() ? unnamed : label->second,
                             .progress = p,
                             .place = place == places.end() ? "" : place->second});
  }
  frame.at_work = units_at_work(*status);
  frame.queue = units_in_queue(*status);
  frame.workers = std::count_if(live.workers.begin(), live.workers.end(), [](auto& w) { return w.is_joined; });
  if (status->waiting) frame.waiting = status->waiting->message;
  waiting_ = frame.waiting;
  if (!nothing_can_start(*status))
    nothing_fits_since_.reset();
  else if (!nothing_fits_since_)
    nothing_fits_since_ = std::chrono::steady_clock::now();
  finished = has_ended(*status);
  return frame;
}

}  // namespace ranktide::cli
