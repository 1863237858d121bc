#pragma once
// Where the trainer of a slot computes: on the GPU that it sees, for a slot's GPU is the only one that is shown
// to its trainer. Pure.

#include "worker/daemon/spawn.h"

namespace ranktide {

// Returns: the trainer, told to compute on its GPU, or on the CPU where it sees none.
ChildConfig on_its_device(ChildConfig trainer);

}  // namespace ranktide
