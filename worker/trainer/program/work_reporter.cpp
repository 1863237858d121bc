#include "worker/trainer/program/work_reporter.h"

#include <utility>

#include "worker/trainer/program/report_pipe.h"

namespace ranktide {
namespace {

constexpr std::chrono::milliseconds kBetweenReports{500};
constexpr size_t kPointsMax = 512;  // held back; then they are sent early

}  // namespace

WorkReporter::WorkReporter(ReportPipe& pipe, Lease lease, Step steps)
    : pipe_(pipe), lease_(std::move(lease)), steps_(steps) {}

void WorkReporter::phase(const std::string& what) {
  flush();
  phase_ = what;
  send_progress();
}

void WorkReporter::step(const StepFigures& f) {
  const double loss_before = last_.loss;
  last_ = f;
  if (f.has_loss) {
    points_.push_back({f.step, "loss", f.loss});
    points_.push_back({f.step, "grad_norm", f.grad_norm});
  } else {
    last_.loss = loss_before;  // what is shown while there is nothing newer
  }
  points_.push_back({f.step, "lr", f.lr});
  points_.push_back({f.step, "tokens_per_second", f.tokens_per_second});
  if (points_.size() >= kPointsMax || Clock::now() - sent_ >= kBetweenReports) {
    flush();
    send_progress();
  }
}

void WorkReporter::eval(const EvalResult& result) {
  flush();
  pipe_.send(WorkFound{lease_, {.points = {}, .evals = {result}, .checkpoint = {}}});
}

void WorkReporter::checkpoint(Step step) {
  flush();
  pipe_.send(WorkFound{lease_, {.points = {}, .evals = {}, .checkpoint = step}});
}

void WorkReporter::pulse() {
  if (Clock::now() - sent_ >= kBetweenReports) send_progress();
}

void WorkReporter::flush() {
  if (points_.empty()) return;
  pipe_.send(WorkFound{lease_, {.points = std::exchange(points_, {}), .evals = {}, .checkpoint = {}}});
}

void WorkReporter::send_progress() {
  sent_ = Clock::now();
  pipe_.send(WorkProgress{{.lease = lease_,
                           .phase = phase_,
                           .step = last_.step,
                           .steps = steps_,
                           .loss = last_.loss,
                           .tokens_per_second = last_.tokens_per_second,
                           .tokens_per_step = last_.tokens_per_step}});
}

}  // namespace ranktide
