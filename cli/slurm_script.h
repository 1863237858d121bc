#pragma once
// The batch script of `ranktide slurm script`: workers as Slurm jobs. It starts nothing and knows nothing of
// the cluster but what it is told; queues, fair share and accounting stay Slurm's. Pure; any thread.

#include <stdexcept>
#include <string>
#include <vector>

namespace ranktide::cli {

struct SlurmJob {
  std::string program;  // path of ranktide as the nodes see it
  std::string folder;   // of the workers' folders, on a file system that all nodes see
  std::string name = "ranktide-worker";
  std::string array;                // 0-15%4; empty: one job
  std::string time = "08:00:00";    // as sbatch reads it
  std::string partition;            // empty: the cluster's own choice
  std::string account;              // empty: the cluster's own choice
  std::string memory;               // per node: 32G; empty: the cluster's own choice
  int cpus = 4;                     // per job
  int gpus = 0;                     // per job
  int warning_s = 120;              // between USR2 and the end: time for a checkpoint
  std::vector<std::string> sbatch;  // further options of sbatch, each in one word
  std::vector<std::string> worker;  // arguments of `ranktide worker`
};

struct SlurmJobError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Returns: the script. Throws: SlurmJobError naming the option that a line of #SBATCH could not carry.
std::string slurm_script(const SlurmJob& job);

}  // namespace ranktide::cli
