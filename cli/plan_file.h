#pragma once
// `plan -o plan.jsonl`: what was looked at, to be submitted as it is. The first line is for programs: the spec
// with its inputs and the indices that it takes, how many trials these are, and a hash; then a line per trial
// for people. Not trusted when it comes back: ids are computed anew and compared. One thread.

#include <string>
#include <vector>

#include "cli/sweep_plan.h"

namespace ranktide::cli {

// Returns: whether a command's file is meant as one: it ends in .jsonl.
bool is_plan_file(const std::string& file);

// Throws: CommandError of code kUsage while ids are provisional and over a file that is no plan; of kFailed
// where it cannot be written.
void write_plan_file(const SweepPlan& plan, const std::string& file);

struct PlanFile {
  SweepSpec spec;                // with the inputs of then
  std::vector<std::string> ids;  // of its trials, in grid order
};
// Throws: SpecError for a file that is none, or is of another version, cut short or edited.
PlanFile read_plan_file(const std::string& file);

// Throws: SpecError naming the files or models that changed since and how many trials read them, or the line
// whose id is not what the spec gives. Requires: `spec` is the file's, with inputs that were read now.
void require_as_planned(const std::string& file, const SweepSpec& spec);

}  // namespace ranktide::cli
