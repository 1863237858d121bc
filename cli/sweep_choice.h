#pragma once
// Which sweep a command line means: a file, a plan of one (plan_file.h) or standard input, what is changed in
// it, and how much of it is taken. The same words for run, plan and submit. Inputs are not read (inputs.h);
// what needs them, --extend and --budget, is sweep_selection.h's. One thread.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

struct SweepChoice {
  std::string file;  // or kStandardInput (sweep_yaml.h)
  std::vector<std::string> overrides;
  std::vector<std::string> only;  // each narrows further
  int64_t max_trials = kTrialsMaxDefault;
  bool recompute_numerics = false;  // as other trials, of this version's arithmetic
  bool extend = false;              // keep what an earlier revision lists
  std::string budget;               // hours of slots; empty: none
  bool cancel_removed = false;      // what runs of trials that the sweep lists no more
};

// Adds the file, the overrides, --only, --max-trials, --recompute-numerics, --extend and --budget to a command.
void add_sweep_options(CLI::App& command, SweepChoice& choice);
// Adds --cancel-removed, where the sweep is handed in. Requires: add_sweep_options was called.
void add_removal_option(CLI::App& command, SweepChoice& choice);

// Of a grid of more trials what is wrong with a cell is said after its inputs were read, and it is walked once.
inline constexpr int64_t kCountedEarlyMax = 200'000;

// Returns: the sweep without its inputs. Every cell of up to kCountedEarlyMax trials, and of any number with
// --only, has been looked at once, so that what the file alone shows to be wrong is said before gigabytes are
// hashed. Throws: SpecError.
SweepSpec chosen_sweep(const SweepChoice& choice);

// Returns: the words that choose the same again, quoted for a shell.
std::string command_line_of(const SweepChoice& choice);

}  // namespace ranktide::cli
