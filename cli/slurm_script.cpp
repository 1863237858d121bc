#include "cli/slurm_script.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <string_view>

namespace ranktide::cli {
namespace {

// A blank would end the value, a line break the comment that sbatch reads.
std::string one_word(const std::string& option, const std::string& value) {
  const bool sound =
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > ' ' && c < 127; });
  if (!sound)
    throw SlurmJobError(option + ": \"" + value + "\" has a blank or a character that #SBATCH cannot carry");
  return value;
}

// Returns: the line for `--option=value`; nothing for an empty value, which leaves the choice to the cluster.
std::string line(const std::string& option, const std::string& value) {
  return value.empty() ? "" : "#SBATCH " + option + "=" + one_word(option, value) + "\n";
}

std::string count_line(const std::string& option, int count) {
  return count > 0 ? line(option, std::to_string(count)) : "";
}

// As the shell reads it back.
std::string shell_word(const std::string& word) {
  const bool is_plain = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("-_./:,=@%+").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain && !word.empty()) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return out + "'";
}

std::string options_of(const SlurmJob& job) {
  std::string out = line("--job-name", job.name) + line("--array", job.array) +
                    line("--partition", job.partition) + line("--account", job.account) +
                    line("--time", job.time) + "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n" +
                    count_line("--cpus-per-task", job.cpus) + count_line("--gpus-per-node", job.gpus) +
                    line("--mem", job.memory);
  out += "#SBATCH --requeue\n#SBATCH --open-mode=append\n";
  out += line("--output", job.name + (job.array.empty() ? "-%j.log" : "-%A_%a.log"));
  out += line("--signal", fmt::format("B:USR2@{}", job.warning_s));
  for (const std::string& further : job.sbatch) out += "#SBATCH " + one_word("--sbatch", further) + "\n";
  return out;
}

}  // namespace

std::string slurm_script(const SlurmJob& job) {
  std::string arguments;
  for (const std::string& argument : job.worker) arguments += " " + shell_word(argument);
  return fmt::format(R"(#!/bin/sh
# Workers of ranktide as Slurm jobs, written by `ranktide slurm script`. Hand it to sbatch.
{options}
# A job keeps its number when it is requeued, and so finds the key, the spool and the checkpoints of its first run.
folder={folder}"/$SLURM_JOB_ID"
(umask 077 && mkdir -p "$folder")
# exec: the batch shell becomes srun, which passes USR2 (the end is near) and TERM on to the worker.
# srun is told the number of cores again, because since Slurm 22.05 it no longer takes it from sbatch.
exec srun --cpus-per-task={cpus} {program} worker --slurm --data-dir "$folder" --name "slurm-$SLURM_JOB_ID"{arguments}
)",
                     fmt::arg("options", options_of(job)), fmt::arg("folder", shell_word(job.folder)),
                     fmt::arg("cpus", job.cpus), fmt::arg("program", shell_word(job.program)),
                     fmt::arg("arguments", arguments));
}

}  // namespace ranktide::cli
