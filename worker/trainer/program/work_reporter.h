#pragma once
// What a running work has to tell, gathered into few reports: points in batches, progress at most twice a
// second. Order is kept: what was said before an eval or a checkpoint is sent before it. The engine thread.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

class ReportPipe;

// What one optimizer step came to.
struct StepFigures {
  Step step = 0;
  bool has_loss = true;  // false: none of its tokens had a label, so neither loss nor gradient is told
  double loss = 0;
  double lr = 0;
  double grad_norm = 0;
  double tokens_per_second = 0;
  double tokens_per_step = 0;  // mean so far; for the time left, no point
};

class WorkReporter {
 public:
  // steps: of the whole stage; 0 for a work of evals alone. Outlives: the pipe.
  WorkReporter(ReportPipe& pipe, Lease lease, Step steps);

  // Throws, all of them: PipeClosed.
  void phase(const std::string& what);  // "loading", "training", "evaluating NAME"
  void step(const StepFigures& figures);
  void eval(const EvalResult& result);
  void checkpoint(Step step);
  // Sends progress if it is due; for stretches that make no points.
  void pulse();
  // Sends all that is held back.
  void flush();

 private:
  using Clock = std::chrono::steady_clock;
  void send_progress();

  ReportPipe& pipe_;
  Lease lease_;
  Step steps_;
  std::string phase_;
  StepFigures last_;
  std::vector<Point> points_;
  Clock::time_point sent_{};
};

}  // namespace ranktide
