#include "worker/trainer/check/selfcheck.h"

#include <ostream>

#include "worker/trainer/check/report.h"
#include "worker/trainer/lm/device.h"

namespace ranktide {

namespace {

CheckOptions on_device(CheckOptions options, at::Device device) {
  options.device = device;
  return options;
}

}  // namespace

int selfcheck(const SelfcheckOptions& options, std::ostream& out) {
  const at::Device device = device_named(options.device);
  SelfcheckReport report{.foundations = check_foundations(options.threads, device), .trainings = {}};
  if (!options.quick) report.trainings = check_training(on_device(options.training, device));
  if (options.json)
    out << as_json(report).dump(2) << "\n";
  else
    out << as_text(report);
  return passed(report) ? 0 : 1;
}

}  // namespace ranktide
