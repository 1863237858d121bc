// `ranktide worker`: trains for a coordinator on another machine, or on this one, until it is told to stop.

#include <csignal>
#include <iostream>
#include <optional>
#include <spdlog/spdlog.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/service_log.h"
#include "cli/service_manager.h"
#include "cli/slurm_end.h"
#include "cli/slurm_signals.h"
#include "cli/version.h"
#include "cli/worker_control.h"
#include "cli/worker_start.h"
#include "common/net/join_line.h"
#include "common/sweep/scalar_text.h"
#include "common/vocabulary/wire.h"
#include "worker/daemon/enrolment.h"
#include "worker/daemon/link.h"
#include "worker/daemon/nvml.h"
#include "worker/daemon/serve.h"
#include "worker/daemon/spool_file.h"
#include "worker/daemon/work_folder.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct WorkerOptions {
  JoinOptions join;
  SlotOptions slots;
  std::string trainer;
  std::string max_idle;
  int64_t inputs_max_gib = kInputCopiesBytesMax >> 30;
  int64_t artifacts_max_gib = kArtifactsBytesMax >> 30;
  bool once = false;
  bool slurm = false;
  std::string log_format;
};

int sysexit_of(EnrolmentEnd end) {
  switch (end) {
    case EnrolmentEnd::unreachable:
      return EX_UNAVAILABLE;
    case EnrolmentEnd::other_coordinator:
      return EX_CONFIG;
    case EnrolmentEnd::refused:
      return EX_NOPERM;
  }
  return EX_SOFTWARE;
}

// What keeps a worker from starting, as sysexits.h has it: a service manager tries some of them again.
template <class Start>
int with_worker_exits(Start start) {
  try {
    return start();
  } catch (const JoinLineError& error) {
    throw CommandError(EX_DATAERR, error.what());
  } catch (const EnrolmentError& error) {
    throw CommandError(sysexit_of(error.end), error.what());
  } catch (const KeyError& error) {
    throw CommandError(EX_CONFIG, error.what());
  } catch (const DeviceError& error) {
    throw CommandError(EX_OSERR, error.what());
  } catch (const WorkFolderError& error) {
    throw CommandError(EX_CANTCREAT, error.what());
  } catch (const SpoolError& error) {
    throw CommandError(EX_IOERR, error.what());
  } catch (const LinkError& error) {
    throw CommandError(EX_USAGE, error.what());
  }
}

Duration idle_limit(const std::string& text) {
  if (text.empty()) return Duration(0);
  const auto limit = read_duration_ms(text);
  if (!limit || *limit <= 0)
    throw CommandError(EX_USAGE, "--max-idle: \"" + text + "\" is not a time such as 90s, 10m or 2h");
  return Duration(*limit);
}

fs::path trainer_of(const WorkerOptions& options) {
  if (options.trainer.empty()) return trainer_program();
  if (!fs::exists(options.trainer))
    throw CommandError(EX_CONFIG, "--trainer: there is no program " + options.trainer);
  return fs::absolute(options.trainer);
}

int sysexit_of(WorkerEnd end, const fs::path& folder) {
  switch (end) {
    case WorkerEnd::drained:
      return kOk;
    case WorkerEnd::stopped:
      return kInterrupted;
    case WorkerEnd::revoked:
      throw CommandError(EX_NOPERM,
                         "the coordinator has revoked this worker's key for good. To come back it needs a "
                         "new one: delete " +
                             (folder / "keys" / "worker.secret").string() +
                             " and start it with a new line from `ranktide invite`");
    case WorkerEnd::expired:
      throw CommandError(
          EX_NOPERM,
          "this worker's key has expired; authorise it again: type on the coordinator's machine, "
          "with its name,\n  ranktide authorise NAME '" +
              worker_public_key(folder / "keys") + "'");
    case WorkerEnd::replaced:
      throw CommandError(EX_CONFIG,
                         "another process with this worker's key has taken its place at the coordinator: was " +
                             folder.string() +
                             " copied to another machine? Give one of the two a folder of its own, and start "
                             "it there with a new "
                             "line from `ranktide invite`");
    case WorkerEnd::unfit:
      throw CommandError(EX_CONFIG,
                         "no trainer can start here; what it said is in the log above, and its work went back "
                         "to the coordinator");
    case WorkerEnd::failed:
      return EX_SOFTWARE;
  }
  return EX_SOFTWARE;
}

void say_start(const GlobalOptions& globals, const Joined& coordinator, const fs::path& folder) {
  const std::string key = fingerprint(coordinator.worker_key);
  if (globals.json)
    std::cout << Json{{"data_folder", folder.string()},
                      {"worker", coordinator.name},
                      {"coordinator", coordinator.endpoint},
                      {"fingerprint", key}}
                     .dump()
              << std::endl;
  spdlog::info("works in {} for the coordinator at {}, key fingerprint {}", folder.string(),
               coordinator.endpoint, key);
}

int serve(const WorkerOptions& options, const GlobalOptions& globals) {
  log_as_service(options.log_format);
  std::signal(SIGPIPE, SIG_IGN);
  const fs::path folder = data_folder(globals.data_dir);
  const KeyPair keys = load_or_make_key_pair(folder / "keys", "worker");
  const Joined coordinator = find_coordinator(options.join, folder, keys);
  WorkerService worker({.work_folder = folder,
                        .coordinator_endpoint = coordinator.endpoint,
                        .coordinator_key = coordinator.coordinator_key,
                        .trainer = trainer_of(options),
                        .inputs_program = own_program(),
                        .input_copies_bytes_max = options.inputs_max_gib << 30,
                        .artifacts_bytes_max = options.artifacts_max_gib << 30,
                        .sends_artifacts = true,
                        .slots = find_slots(options.slots),
                        .version = kVersion,
                        .once = options.once,
                        .max_idle = idle_limit(options.max_idle),
                        .time = options.slurm ? slurm_worker_time() : std::nullopt,
                        .after_turn = WatchdogKick()});
  std::optional<Interrupt> person;
  std::optional<SlurmSignals> slurm;
  if (options.slurm)
    slurm.emplace(worker);
  else
    person.emplace(worker);
  say_start(globals, coordinator, folder);
  tell_service_manager("READY=1");
  worker.wait();
  tell_service_manager("STOPPING=1");
  return sysexit_of(worker.end(), folder);
}

void add_run_options(CLI::App& command, WorkerOptions& options) {
  command.add_option("--join", options.join.join,
                     "join line of `ranktide invite`, - for standard input, or a file; needed once");
  command.add_option("--coordinator", options.join.coordinator, "tcp://HOST:PORT of a coordinator");
  command.add_option("--server-key", options.join.server_key,
                     "public key of the coordinator, or a file with it; with --coordinator");
  command.add_option("--name", options.join.name, "name to be known by; default: this machine's")
      ->default_str(default_worker_name());
  command
      .add_option("--slots", options.slots.slots,
                  "works at once; default: a GPU each, or as many as cores allow")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--threads-per-slot", options.slots.threads_per_slot,
                  "threads of a slot; results are bit-equal at equal threads only; default: 1 on cores")
      ->check(CLI::Range(1, 1024));
  command.add_option(
      "--gpus", options.slots.gpus,
      "of those usable, a slot each: 0,1 or UUIDs; none: slots of cores; default: all. A GPU's trainer "
      "computes on it, which takes LibTorch's CUDA build; no real one was ever tried");
  command.add_option("--labels", options.slots.labels, "for every slot, such as a100,nvlink");
  command.add_option("--trainer", options.trainer, "another trainer program than the one beside this");
  command
      .add_option("--inputs-max", options.inputs_max_gib,
                  "GiB of models and data fetched from the coordinator that stay here")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--artifacts-max", options.artifacts_max_gib,
                  "GiB of adapters and weights that stay here; beyond, the longest sent to the coordinator go; "
                  "0: whatever was sent")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command.add_option("--max-idle", options.max_idle, "end after so long with nothing to do: 90s, 10m, 2h");
  command.add_flag("--once", options.once,
                   "end after one trial a slot; evals leased by themselves do not count");
  command.add_flag(
      "--slurm", options.slurm,
      "in a Slurm job: takes nothing new in its last minutes; USR2, TERM and the time limit ask for a "
      "checkpoint and the end");
  add_log_format(command, options.log_format);
}

}  // namespace

std::function<int()> setup_worker(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<WorkerOptions>();
  options->join.name = default_worker_name();
  add_run_options(command, *options);
  command.require_subcommand(0, 1);
  add_run_options(*command.add_subcommand("run", "the same as without a word"), *options);
  const auto control = setup_worker_control(command, globals);
  return [=, &globals] {
    if (const auto done = control()) return *done;
    return with_worker_exits([&] { return serve(*options, globals); });
  };
}

}  // namespace ranktide::cli
