#pragma once
// What a command's exit status says; stable, printed by `ranktide help exit-codes`.

namespace ranktide::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,         // the operation failed
  kUsage = 2,          // usage, or an invalid sweep file
  kUnreachable = 3,    // no coordinator answers
  kNotAuthorised = 4,  // no token, or one that may not do this
  kNotFound = 5,       // no such sweep, trial or data folder
  kTrialsFailed = 6,   // everything ended, some trials or evals of theirs failed
  kTimedOut = 7,       // --wait: the time was up before the sweep had ended
  kInterrupted = 130,  // Ctrl-C; what ran is checkpointed
};

}  // namespace ranktide::cli
