#include "cli/gpu_notice.h"

#include <algorithm>

namespace ranktide::cli {

std::string gpu_notice(const std::vector<Slot>& slots) {
  const auto gpus =
      std::count_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.device != "cpu"; });
  if (gpus == 0) return "";
  return std::to_string(gpus) +
         " of the slots are GPUs, and their trainers compute there: that takes the CUDA build of LibTorch, "
         "and was never tried on a real GPU. --gpus none makes slots of the cores";
}

}  // namespace ranktide::cli
