#pragma once
// What a self-check found, as a person and as a program reads it. Decides nothing but who failed. Keys of the
// JSON and the order of the columns are stable.

#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "worker/trainer/check/foundations.h"
#include "worker/trainer/check/training_check.h"

namespace ranktide {

struct SelfcheckReport {
  std::vector<Finding> foundations;
  std::vector<TrainingRow> trainings;  // empty: none was asked for
};

// Returns: whether no line of it FAILED; warnings do not count.
bool passed(const SelfcheckReport& report);

// Returns: a line for each finding, and below them a table with a line for each training.
std::string as_text(const SelfcheckReport& report);

// Returns: {good, foundations: [{verdict, subject, detail}], trainings: [{verdict, family, method, dtype,
// loss_error, loss_error_max, resumes_exactly, steps_per_second, memory_peak_bytes, failure}]}; loss_error is
// null where there was none to take.
Json as_json(const SelfcheckReport& report);

}  // namespace ranktide
