#include "cli/gpu_notice.h"

#include <algorithm>

namespace ranktide::cli {

std::string gpu_notice(const std::vector<Slot>& slots) {
  const auto gpus =
      std::count_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.device != "cpu"; });
  if (gpus == 0) return "";
  return std::to_string(gpus) +
         " of the slots are GPUs, but training runs on CPUs only so far: each of them computes on its threads, "
         "and nothing on its GPU. --gpus none makes slots of the cores";
}

}  // namespace ranktide::cli
