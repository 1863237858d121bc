#include "worker/trainer/program/serve.h"

#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <memory>

#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/command_inbox.h"
#include "worker/trainer/program/eval_run.h"
#include "worker/trainer/program/failure.h"
#include "worker/trainer/program/model_choice.h"
#include "worker/trainer/program/report_pipe.h"
#include "worker/trainer/program/stage_run.h"

namespace ranktide {
namespace {

// Of a trial that is to be computed by another version; some other worker may have that.
std::optional<Outcome> refusal_of(const Work& work) {
  const bool asks = work.stage && work.stage->settings.engine;
  if (!asks || work.stage->settings.engine->numerics == kNumericsVersion) return std::nullopt;
  Outcome out;
  out.kind = OutcomeKind::refused;
  out.message = "engine.numerics: the trial is to be computed by version " +
                std::to_string(work.stage->settings.engine->numerics) +
                " of the engine's arithmetic, and this worker's is version " +
                std::to_string(kNumericsVersion) +
                "; bring its ranktide to that version, or submit the sweep again without engine.numerics, or "
                "with --recompute-numerics by a ranktide of the workers' version";
  return out;
}

struct DeviceLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require_open(int fd, const char* what) {
  if (::fcntl(fd, F_GETFD) < 0)
    throw FolderError("descriptor " + std::to_string(fd) + ", " + what +
                      ", is not open; serve is started by a worker, not by hand");
}

class Server {
 public:
  Server(const WorkFolders& folders, ReportPipe& reports, at::Device device)
      : folders_(folders), reports_(reports), device_(device), inputs_(folders.cache, device) {}

  // Throws: PipeClosed, DeviceLost.
  void serve(const CommandInbox::Order& order) {
    const Outcome outcome = attempt(order);
    reports_.send(WorkEnded{order.run.lease, outcome});
  }

 private:
  Outcome attempt(const CommandInbox::Order& order) {
    const auto& stage = order.run.work.stage;
    WorkReporter reporter(reports_, order.run.lease, stage ? stage->to : 0);
    try {
      return run(order, reporter);
    } catch (const PipeClosed&) {
      throw;
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind == FailureKind::device) throw DeviceLost(failure.message);
      if (failure.kind == FailureKind::memory) let_go();
      std::cerr << "work " << order.run.lease.unit.brief() << " failed: " << failure.message << "\n";
      reporter.flush();  // what the steps before the failure came to
      return outcome_of(failure);
    }
  }

  Outcome run(const CommandInbox::Order& order, WorkReporter& reporter) {
    const Work& work = order.run.work;
    if (auto refused = refusal_of(work)) return *std::move(refused);
    if (work.kind == WorkKind::evaluate)
      return run_evals({work.stage, work.base, work.tokenizer_sha256, work.model, work.evals, work.microbatch},
                       folders_, inputs_, reporter, order.stop);
    if (!work.stage) throw WorkError("a work of kind train came without its stage");
    const StageOrder stage{.stage = *work.stage,
                           .attempt = order.run.lease.attempt,
                           .evals = work.evals,
                           .keep = work.keep,
                           .checkpoint_every = Duration{work.checkpoint_every_ms},
                           .microbatch = work.microbatch,
                           .resume_at_most = work.resume_at_most,
                           .branches = work.branches,
                           .require_exact = work.require_exact,
                           .unwanted = order.unwanted};
    return run_stage(stage, folders_, inputs_, reporter, order.stop);
  }

  void let_go() {
    inputs_.clear();
    release_unused_memory(device_);
  }

  const WorkFolders& folders_;
  ReportPipe& reports_;
  at::Device device_;
  WorkInputs inputs_;
};

void serve_until_told(const WorkFolders& folders, const ServeOptions& options, at::Device device) {
  ReportPipe reports(kTrainerReportFd);
  CommandInbox inbox(kTrainerCommandFd);
  start_engine(options.threads);
  const Engine engine = current_engine(device);
  reports.send(TrainerReady{.numerics = engine.numerics_version,
                            .threads = engine.threads,
                            .isa = engine.isa,
                            .device = options.device});
  Server server(folders, reports, device);
  while (const auto order = inbox.next()) server.serve(*order);
}

}  // namespace

int serve(const ServeOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a worker that has gone shows as an error of write
  try {
    const at::Device device = device_named(options.device);
    require_open(kTrainerCommandFd, "the command pipe");
    require_open(kTrainerReportFd, "the report pipe");
    serve_until_told(make_work_folders(options.work_dir), options, device);
  } catch (const FolderError& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kExitBadStart;
  } catch (const NoDevice& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kExitBadStart;
  } catch (const DeviceLost& e) {
    std::cerr << "error: " << e.what() << "\n";
    return kExitDevice;
  } catch (const PipeClosed& e) {
    std::cerr << "the worker has gone: " << e.what() << "\n";
  }
  return kExitOk;
}

std::function<int()> setup_serve(CLI::App& command) {
  const auto options = std::make_shared<ServeOptions>();
  command.add_option("--work-dir", options->work_dir, "folder for checkpoints, artifacts and caches")
      ->required();
  command.add_option("--threads", options->threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_device_option(command, options->device);
  return [options] { return serve(*options); };
}

}  // namespace ranktide
