#include "worker/trainer/check/selfcheck.h"

#include <ostream>

#include "worker/trainer/check/report.h"

namespace ranktide {

int selfcheck(const SelfcheckOptions& options, std::ostream& out) {
  require_trainable(options.training.device);
  SelfcheckReport report{.foundations = check_foundations(options.threads), .trainings = {}};
  if (!options.quick) report.trainings = check_training(options.training);
  if (options.json)
    out << as_json(report).dump(2) << "\n";
  else
    out << as_text(report);
  return passed(report) ? 0 : 1;
}

}  // namespace ranktide
