#include "cli/remote_watch.h"

#include <algorithm>
#include <thread>

#include "cli/exit_codes.h"
#include "cli/live_drawing.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/query_workers.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double age_seconds(const SweepStatus& status) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now).count() - status.submitted_ms;
  return static_cast<double>(age) / 1000;
}

// They are listed as slots come near them.
int64_t trials_not_listed(const SweepStatus& status) {
  if (status.state != "listing" && status.state != "paused") return 0;
  int64_t out = status.trials_total;
  for (const auto& [state, count] : status.trials) out -= count;
  return out;
}

}  // namespace

std::optional<std::vector<SweepStatus>> ask_status(PatientClient& client, const std::string& sweep) {
  const auto answer = client.get("/api/v1/sweeps" + (sweep.empty() ? "" : "?name=" + percent_encode(sweep)));
  if (!answer) return std::nullopt;
  return from_json<std::vector<SweepStatus>>(parse_json(body_of(*answer)));
}

std::optional<int64_t> ask_workers(PatientClient& client) {
  const auto answer = client.get("/api/v1/workers");
  if (!answer) return std::nullopt;
  const auto all = from_json<std::vector<WorkerStatus>>(parse_json(body_of(*answer)));
  return std::count_if(all.begin(), all.end(), [](auto& worker) { return worker.state == "joined"; });
}

bool is_at_rest(const SweepStatus& status) {
  return has_ended(status) || (status.state == "paused" && trials_in(status, "running") == 0);
}

int64_t units_at_work(const SweepStatus& status) {
  return trials_in(status, "running") + status.evals_running;
}

int64_t units_in_queue(const SweepStatus& status) {
  return trials_in(status, "ready") + trials_not_listed(status) +
         std::max<int64_t>(0, status.evals_missing - status.evals_running);
}

LiveFrame frame_of(const SweepStatus& status, int64_t workers, double elapsed_seconds) {
  LiveFrame frame{.sweep = status.name, .total = status.trials_total};
  frame.diverged = trials_in(status, "diverged");
  frame.done = trials_in(status, "completed") + frame.diverged;
  frame.failed = trials_in(status, "failed") + trials_in(status, "cancelled");
  frame.stopped_early = trials_in(status, "stopped_early");
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
                      .tokens_per_step = trial.seconds_per_step * trial.tokens_per_second};
    frame.running.push_back(
        {.label = trial.settings, .progress = std::move(progress), .place = trial.worker + ":" + trial.slots});
  }
  frame.at_work = units_at_work(status);
  frame.queue = units_in_queue(status);
  frame.workers = workers;
  return frame;
}

std::optional<SweepStatus> watch(PatientClient client, const std::string& sweep, const GlobalOptions& globals,
                                 std::optional<Clock::time_point> until) {
  LiveDrawing drawing(globals);
  client.patience().until = until;
  client.patience().say = [&](const std::string& line) {
    if (!globals.quiet) drawing.say(line);
  };
  std::optional<SweepStatus> last;
  for (;;) {
    const auto found = ask_status(client, sweep);
    if (!found) return last;
    last = found->at(0);
    const auto workers = ask_workers(client);
    if (!workers) return last;
    drawing.show(frame_of(*last, *workers, age_seconds(*last)));
    if (has_ended(*last) && last->failed_evals && !globals.quiet)
      drawing.say(failed_evals_text(*last->failed_evals));
    if (has_ended(*last) || (until && Clock::now() >= *until)) return last;
    std::this_thread::sleep_until(std::min(Clock::now() + 1s, until.value_or(Clock::time_point::max())));
  }
}

std::string failed_evals_text(const FailedEvals& failed) {
  return std::to_string(failed.evals) + (failed.evals == 1 ? " eval failed: " : " evals failed: ") +
         failed.message;
}

int exit_code_of(const std::optional<SweepStatus>& last) {
  if (!last || !has_ended(*last)) return kTimedOut;
  return has_failures(*last) ? kTrialsFailed : kOk;
}

}  // namespace ranktide::cli
