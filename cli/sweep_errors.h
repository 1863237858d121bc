#pragma once
// What is wrong with a sweep file, as the commands that read one say it: every error with its line of the file,
// and with --json the same as a list. Prints; decides nothing.

#include "common/sweep/spec_error.h"

namespace ranktide::cli {

struct GlobalOptions;

// Writes to standard error; with --json also {"errors": [{"message", "line", "column"}]} to standard output.
void print_sweep_errors(const SpecError& error, const GlobalOptions& globals);

}  // namespace ranktide::cli
