// `selfcheck`: the options of check/selfcheck.h.

#include <iostream>
#include <memory>
#include <string>

#include "worker/trainer/check/selfcheck.h"
#include "worker/trainer/program/command.h"

namespace ranktide {

std::function<int()> setup_selfcheck(CLI::App& command) {
  const auto options = std::make_shared<SelfcheckOptions>();
  const auto device = std::make_shared<std::string>("cpu");
  command.add_flag("--quick", options->quick,
                   "only what the trainer stands on, in about a second: what `ranktide doctor` asks");
  command.add_flag("--json", options->json, "one JSON object instead of the table");
  command
      .add_option("--device", *device, "what trains: cpu; cuda is refused, for this build trains on CPUs only")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("--threads", options->threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  return [options, device] {
    options->training.device = at::Device(*device);
    return selfcheck(*options, std::cout);
  };
}

}  // namespace ranktide
