// `selfcheck`: the options of check/selfcheck.h.

#include <iostream>
#include <memory>

#include "worker/trainer/check/selfcheck.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/model_choice.h"

namespace ranktide {

std::function<int()> setup_selfcheck(CLI::App& command) {
  const auto options = std::make_shared<SelfcheckOptions>();
  command.add_flag("--quick", options->quick,
                   "only what the trainer stands on, in about a second: what `ranktide doctor` asks");
  command.add_flag("--json", options->json, "one JSON object instead of the table");
  add_device_option(command, options->device);
  command.add_option("--threads", options->threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [options] { return selfcheck(*options, std::cout); };
}

}  // namespace ranktide
