#include "worker/daemon/trainer_start.h"

#include <utility>

namespace ranktide {

ChildConfig on_its_device(ChildConfig trainer) {
  const char* device = trainer.gpu.empty() ? "cpu" : "cuda";
  trainer.arguments.insert(trainer.arguments.end(), {"--device", device});
  return trainer;
}

}  // namespace ranktide
