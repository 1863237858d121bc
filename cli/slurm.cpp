// `ranktide slurm script`: prints a batch script whose jobs are workers.

#include <filesystem>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/slurm_script.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

int print_script(SlurmJob job, const GlobalOptions& globals) {
  job.folder = (data_folder(globals.data_dir) / "slurm").string();
  try {
    const std::string script = slurm_script(job);
    std::cout << (globals.json ? Json{{"script", script}}.dump(2) + "\n" : script);
  } catch (const SlurmJobError& e) {
    throw CommandError(kUsage, e.what());
  }
  return kOk;
}

void add_resources(CLI::App& script, SlurmJob& job) {
  script.add_option("--name", job.name, "name of the job and of its log");
  script.add_option("--array", job.array, "many workers: 0-15%4 is sixteen, at most four at once");
  script.add_option("--time", job.time, "longest run, as sbatch reads it; a worker takes no work beyond it");
  script.add_option("--partition", job.partition, "where to queue");
  script.add_option("--account", job.account, "whom to charge");
  script.add_option("--cpus", job.cpus, "cores per worker")->check(CLI::Range(1, 4096));
  script.add_option("--gpus", job.gpus, "GPUs per worker; each is a slot, whose trainer computes on it")
      ->check(CLI::Range(0, 64));
  script.add_option("--mem", job.memory, "memory per worker: 32G");
  script.add_option("--warning", job.warning_s, "seconds between the warning and the end, for a checkpoint")
      ->check(CLI::Range(60, 86400));
  script.add_option("--sbatch", job.sbatch, "a further option of sbatch: --sbatch=--qos=low")
      ->allow_extra_args(false);
}

}  // namespace

std::function<int()> setup_slurm(CLI::App& command, const GlobalOptions& globals) {
  const auto job = std::make_shared<SlurmJob>();
  job->program = fs::read_symlink("/proc/self/exe").string();
  command.require_subcommand(1);
  CLI::App* script = command.add_subcommand("script", "print a batch script whose jobs are workers");
  script->fallthrough();
  add_resources(*script, *job);
  script->add_option("--program", job->program, "ranktide as the nodes see it; default: this program");
  script->add_option("worker", job->worker, "after --: arguments of `ranktide worker`, such as --join FILE");
  return [job, &globals] { return print_script(*job, globals); };
}

}  // namespace ranktide::cli
