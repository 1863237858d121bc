#include "cli/trial_label.h"

#include <fmt/format.h>

namespace ranktide::cli {
namespace {

bool is_said_already(const std::string& axis) {
  return axis == "regime" || axis == "lora.rank" || axis == "lora.target" || axis == "method" || axis == "seed";
}

}  // namespace

std::string label_of(const SweepTrial& trial) {
  const auto regime = trial.labels.find("regime");
  std::string out = regime == trial.labels.end() ? "" : regime->second + " ";
  out += text_of(trial.settings.method);
  if (trial.settings.lora) {
    const auto target = trial.labels.find("lora.target");
    out +=
        fmt::format(" r={} {}", trial.settings.lora->rank, target == trial.labels.end() ? "" : target->second);
  }
  for (const auto& [axis, label] : trial.labels)
    if (!is_said_already(axis)) out += fmt::format(" {}={}", axis.substr(axis.rfind('.') + 1), label);
  return out + fmt::format(" seed {}", trial.settings.seed);
}

}  // namespace ranktide::cli
