#include "cli/remote_watch.h"

#include <algorithm>
#include <thread>

#include "cli/exit_codes.h"
#include "cli/live_drawing.h"
#include "cli/request.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/query_workers.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

}  // namespace

SweepStatus status_of(const HttpClient& client, const std::string& sweep) {
  return from_json<std::vector<SweepStatus>>(
             parse_json(get_body(client, "/api/v1/sweeps?name=" + percent_encode(sweep))))
      .at(0);
}

std::vector<SweepStatus> all_status(const HttpClient& client) {
  return from_json<std::vector<SweepStatus>>(parse_json(get_body(client, "/api/v1/sweeps")));
}

int64_t joined_workers(const HttpClient& client) {
  const auto all = from_json<std::vector<WorkerStatus>>(parse_json(get_body(client, "/api/v1/workers")));
  return std::count_if(all.begin(), all.end(), [](auto& worker) { return worker.state == "joined"; });
}

bool is_at_rest(const SweepStatus& status) {
  return has_ended(status) || (status.state == "paused" && trials_in(status, "running") == 0);
}

int64_t units_at_work(const SweepStatus& status) {
  return trials_in(status, "running") + status.evals_running;
}

int64_t units_in_queue(const SweepStatus& status) {
  return trials_in(status, "ready") + std::max<int64_t>(0, status.evals_missing - status.evals_running);
}

LiveFrame frame_of(const SweepStatus& status, int64_t workers, double elapsed_seconds) {
  LiveFrame frame{.sweep = status.name, .total = status.trials_total};
  frame.diverged = trials_in(status, "diverged");
  frame.done = trials_in(status, "completed") + frame.diverged;
  frame.failed = trials_in(status, "failed") + trials_in(status, "cancelled");
  frame.elapsed_seconds = elapsed_seconds;
  frame.left_seconds = seconds_left(status);
  if (status.waiting) frame.waiting = status.waiting->message;
  for (const RunningTrial& trial : status.running) {
    Progress progress{.lease = {UnitId{trial.trial}, static_cast<Attempt>(trial.attempt)},
                      .phase = trial.step > 0 ? "training" : "loading",
                      .step = trial.step,
                      .steps = trial.steps,
                      .loss = trial.loss,
                      .tokens_per_second = trial.tokens_per_second,
                      .tokens_per_step = trial.tokens_per_step};
    frame.running.push_back({.label = trial.settings,
                             .progress = std::move(progress),
                             .place = trial.worker + ":" + trial.slots});
  }
  frame.at_work = units_at_work(status);
  frame.queue = units_in_queue(status);
  frame.workers = workers;
  return frame;
}

SweepStatus watch(const HttpClient& client, const std::string& sweep, const GlobalOptions& globals,
                  std::optional<Clock::time_point> until) {
  LiveDrawing drawing(globals);
  for (;;) {
    SweepStatus status = status_of(client, sweep);
    const double age = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                               std::chrono::system_clock::now().time_since_epoch())
                                               .count() -
                                           status.submitted_ms) /
                       1000;
    drawing.show(frame_of(status, joined_workers(client), age));
    if (has_ended(status) || (until && Clock::now() >= *until)) return status;
    std::this_thread::sleep_for(1s);
  }
}

int exit_code_of(const SweepStatus& status) {
  if (!has_ended(status)) return kTimedOut;
  return trials_in(status, "failed") > 0 ? kTrialsFailed : kOk;
}

}  // namespace ranktide::cli
